import type { TableFingerprint } from './fingerprint.ts'

/** How a table came back. `unchecked`: nothing was noted of it, as it was written to while the backup was made. */
export interface TableResult {
  readonly table: string
  readonly outcome: 'equal' | 'different' | 'unchecked'
  readonly rows: number
  readonly noted?: number
}

/** What a drill came to. */
export interface DrillReport {
  readonly backup: string
  /** Milliseconds since 1970. */
  readonly taken: number
  readonly at: number
  readonly ok: boolean
  /** From the first byte fetched to the last row readable. */
  readonly restoreMs: number
  readonly bytes: number
  readonly tables: readonly TableResult[]
}

export function compare(
  table: string,
  found: TableFingerprint,
  noted: TableFingerprint | undefined,
): TableResult {
  if (noted === undefined) return { table, outcome: 'unchecked', rows: found.rows }
  const equal = noted.rows === found.rows && noted.hash === found.hash
  return { table, outcome: equal ? 'equal' : 'different', rows: found.rows, noted: noted.rows }
}
