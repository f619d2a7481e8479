import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../errors.ts'
import type { Batch, Store } from '../store/store.ts'
import type { AnyTable, RowOf } from '../store/table.ts'

/** How far clocks may be apart, and how often to look whether they have caught up, ms. */
const skewMs = 3000
const stepMs = 100

/**
 * A new row of a table whose rows are put conditionally, which nobody else may have made. Where rows have the time of
 * whoever wrote them, a deletion by a process whose clock is ahead hides what is put after it: so it is put again until
 * it can be read. True: our row is there, durable; false: another one is. PlatformError `outcome_unknown`.
 */
export async function insert<T extends AnyTable>(
  store: Store,
  table: T,
  row: RowOf<T>,
  column: keyof T['columns'] & string,
): Promise<boolean> {
  for (let waited = 0; await putIf(store, table, row, column, undefined); waited += stepMs) {
    // oxlint-disable-next-line no-await-in-loop -- until it is there
    if ((await store.get(table, row)) !== undefined) return true
    // oxlint-disable-next-line no-await-in-loop
    await untilLater(table, waited)
  }
  return false
}

/**
 * Deletes rows that were put conditionally, which have the time of the store's nodes: one whose clock is ahead hides the
 * deletion, so it is done again until `there` says that they are gone. PlatformError `outcome_unknown`.
 */
export async function remove(
  store: Store,
  table: AnyTable,
  batch: Batch,
  there: () => Promise<boolean>,
): Promise<void> {
  for (let waited = 0; ; waited += stepMs) {
    // oxlint-disable-next-line no-await-in-loop -- until they are gone
    await store.write(batch)
    // oxlint-disable-next-line no-await-in-loop
    if (!(await there())) return
    // oxlint-disable-next-line no-await-in-loop
    await untilLater(table, waited)
  }
}

async function untilLater(table: AnyTable, waited: number): Promise<void> {
  if (waited >= skewMs)
    throw new PlatformError('outcome_unknown', `${table.name}: clocks are too far apart; try again`)
  await sleep(stepMs)
}

/**
 * A conditional put whose outcome is known: after `unknown` the row is read again and its `column` decides whose
 * write it was. True: our row is there, durable. PlatformError `outcome_unknown` if that can't be told either.
 */
export async function putIf<T extends AnyTable>(
  store: Store,
  table: T,
  row: RowOf<T>,
  column: keyof T['columns'] & string,
  expected: string | number | boolean | undefined,
): Promise<boolean> {
  const outcome = await store.putIf(table, row, column, expected)
  if (outcome !== 'unknown') return outcome === 'applied'
  const stored: Record<string, unknown> | undefined = await store.get(table, row)
  const written: Record<string, unknown> = row
  if (stored?.[column] === written[column]) return true
  if (stored?.[column] === expected) {
    throw new PlatformError(
      'outcome_unknown',
      `${table.name}: the store did not say whether it wrote; try again`,
    )
  }
  return false
}
