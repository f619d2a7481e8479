import { Batch, StoreError } from '#platform/store/store.ts'
import { FaultyStore } from './faulty-store.ts'

/** The organisation whose rows other DCs must have. */
export const geo = 'geo'

/** Durability as the tests have it. */
export function durability(org: string): 'local' | 'geo' {
  return org === geo ? 'geo' : 'local'
}

/** A store that takes no rows of `geo` while the other DCs are away; of the batch the rest is written, as Cassandra does. */
export class FarStore extends FaultyStore {
  away = false
  /** Writes refused. */
  refused = 0
  /** Batches that held rows of both kinds. */
  mixed = 0

  override async write(batch: Batch): Promise<void> {
    const near = batch.mutations.filter((mutation) => orgOf(mutation) !== geo)
    if (near.length > 0 && near.length < batch.size) this.mixed++
    if (!this.away || near.length === batch.size) return super.write(batch)
    this.refused++
    const rest = new Batch()
    rest.mutations.push(...near)
    await super.write(rest)
    throw new StoreError('unavailable', 'not enough replicas of the world')
  }
}

function orgOf(mutation: Batch['mutations'][number]): unknown {
  if (mutation.kind === 'put') return mutation.row.org
  return mutation.kind === 'delete' ? mutation.key.org : mutation.partition.org
}
