import type { Fields } from '../store/key-codec.ts'
import { Batch, type Store } from '../store/store.ts'
import type { AnyTable } from '../store/table.ts'
import { organisation } from '../registry/tables.ts'
import { BackupError } from './backup-error.ts'

const pageRows = 500
/** Rows of a batch, all of one table. */
const batchRows = 100
const parallel = 8

/**
 * Tables that say what happens at this moment, in the organisation's name: brought back they would deliver old messages,
 * send old commands, or let ended sessions of people go on.
 */
const momentary = new Set([
  'session',
  'subscription',
  'inbox',
  'state',
  'presence',
  'presence_holder',
  'device_change',
  'idempotency',
  'user_session',
  'refresh_token',
  'one_time_token',
  'invitation',
  'task',
  'open_task',
  'task_cancel',
  'task_secret',
  'task_part',
])

function isMomentary({ name }: AnyTable): boolean {
  return momentary.has(name) || name.startsWith('command')
}

/** Whether rows of the table are of organisations. */
function hasOrganisations({ partition, clustering, columns }: AnyTable): boolean {
  return 'org' in partition || 'org' in clustering || 'org' in columns
}

/** Tables that a restore of one organisation takes rows from. */
export function tablesOfOrganisations(tables: readonly AnyTable[]): AnyTable[] {
  return tables.filter((one) => hasOrganisations(one) && !isMomentary(one))
}

/** @throws BackupError `target`: the store has that organisation */
export async function refuseOrganisation(target: Store, org: string): Promise<void> {
  const there = await target.get(organisation, { id: org })
  if (there !== undefined && there.deleted_at === undefined) {
    throw new BackupError(
      'target',
      `there is an organisation ${org} already: nothing was changed; restore it into an empty directory (--into), and take what you need from there`,
    )
  }
}

/**
 * Copies the rows of one organisation into a store that does not have it. Its own row comes last: cut off, the
 * organisation is not there yet, and the copy can be made again. Accounts of people are the platform's, not its.
 *
 * @returns rows by table
 * @throws BackupError `missing`: the backup does not have it; `target`: the store has
 */
export async function copyOrganisation(
  source: Store,
  target: Store,
  tables: readonly AnyTable[],
  org: string,
): Promise<Record<string, number>> {
  const own = await source.get(organisation, { id: org })
  if (own === undefined || own.deleted_at !== undefined)
    throw new BackupError('missing', `the backup has no organisation ${org}`)
  await refuseOrganisation(target, org)
  const counts: Record<string, number> = {}
  for (const one of tablesOfOrganisations(tables)) {
    // oxlint-disable-next-line no-await-in-loop -- one table at a time
    const count = await copyRows(source, target, one, (row) => row.org === org)
    if (count > 0) counts[one.name] = count
  }
  const batch = new Batch()
  batch.put(organisation, own)
  await target.write(batch)
  return { ...counts, organisation: 1 }
}

/** Copies the rows of one table for which `wanted` says yes; returns how many. */
export async function copyRows(
  source: Store,
  target: Store,
  one: AnyTable,
  wanted: (row: Fields) => boolean = () => true,
): Promise<number> {
  let copied = 0
  let cursor: string | null = null
  const writes = new Set<Promise<void>>()
  let failure: unknown
  const write = async (rows: readonly Fields[]): Promise<void> => {
    const batch = new Batch()
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- rows of this very table
    for (const row of rows) batch.put(one, row as never)
    const written = target.write(batch).catch((error: unknown) => {
      failure ??= error
    })
    writes.add(written)
    void written.finally(() => writes.delete(written))
    if (writes.size >= parallel) await Promise.race(writes)
  }
  do {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const page: { rows: Fields[]; cursor: string | null } = await source.scan(one, cursor, pageRows)
    const rows = page.rows.filter(wanted)
    for (let at = 0; at < rows.length && failure === undefined; at += batchRows) {
      // oxlint-disable-next-line no-await-in-loop -- a bounded number at a time
      await write(rows.slice(at, at + batchRows))
    }
    copied += rows.length
    cursor = page.cursor
  } while (cursor !== null && failure === undefined)
  await Promise.all(writes)
  if (failure !== undefined) throw failure
  return copied
}

/** Whether a table has no row. */
export async function isEmpty(store: Store, one: AnyTable): Promise<boolean> {
  let cursor: string | null = null
  do {
    // oxlint-disable-next-line no-await-in-loop -- expired rows may lie in front
    const page: { rows: Fields[]; cursor: string | null } = await store.scan(one, cursor, 1)
    if (page.rows.length > 0) return false
    cursor = page.cursor
  } while (cursor !== null)
  return true
}
