import type { Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { joined } from './command.ts'
import { type Facts, noFacts, type Terms } from './facts.ts'
import { type commandBatch, commandBatchFact, commandBatchItem } from './tables.ts'

/** Without a word of the process that makes it for so long, nobody does. */
const silentMs = 60_000
const slice = 2000

export interface CommandBatch extends Terms {
  readonly org: string
  readonly id: string
  readonly name: string
  readonly params: string | undefined
  readonly createdAt: number
  readonly createdBy: string | undefined
  /** What was asked for, as JSON. */
  readonly target: string
  /** Devices that have their command. */
  readonly made: number
  /** `interrupted`: the process that made it has ended; the same request with the same id goes on. */
  readonly state: 'making' | 'made' | 'interrupted'
}

export function batchOf(row: RowOf<typeof commandBatch>, now: number): CommandBatch {
  const silent = (row.stamp ?? 0) < now - silentMs
  return {
    org: row.org,
    id: row.id,
    name: row.name ?? '',
    params: row.params,
    createdAt: row.created_at ?? 0,
    createdBy: row.created_by,
    expiresAt: row.expires_at ?? 0,
    timeout: row.timeout ?? 0,
    retries: row.retries ?? 0,
    oneWay: row.one_way ?? false,
    target: row.target ?? '',
    made: row.made ?? 0,
    state: row.complete === true ? 'made' : silent ? 'interrupted' : 'making',
  }
}

/** The commands of a bucket with what is known of each, in order of their devices. */
export async function readBucket(
  store: Store,
  { org, id: batch, createdAt }: CommandBatch,
  bucket: number,
): Promise<{ device: string; command: string; facts: Facts }[]> {
  const records = new Map<string, RowOf<typeof commandBatchFact>[]>()
  let after: { id: string; writer: Uint8Array; n: number } | undefined
  for (;;) {
    const range = { ...(after === undefined ? {} : { after }), limit: slice }
    // oxlint-disable-next-line no-await-in-loop -- one page after the other
    const rows = await store.range(commandBatchFact, { org, batch, bucket }, range)
    for (const row of rows) {
      const of = records.get(row.id)
      if (of === undefined) records.set(row.id, [row])
      else of.push(row)
    }
    if (rows.length < slice) break
    const { id, writer, n } = rows[rows.length - 1]
    after = { id, writer, n }
  }
  const items: { device: string; command: string; facts: Facts }[] = []
  let from: { device: string } | undefined
  for (;;) {
    const range = { ...(from === undefined ? {} : { after: from }), limit: slice }
    // oxlint-disable-next-line no-await-in-loop
    const rows = await store.range(commandBatchItem, { org, batch, bucket }, range)
    for (const { device, id: one } of rows) {
      if (one === undefined) continue
      const of = records.get(one)
      items.push({
        device,
        command: one,
        facts: of === undefined ? noFacts : joined(of, { device, createdAt }),
      })
    }
    if (rows.length < slice) return items
    from = { device: rows[rows.length - 1].device }
  }
}
