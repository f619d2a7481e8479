import { PlatformError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { AnyTable, RowOf } from '../store/table.ts'

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
