import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { DrillReport } from '#platform/backup/drill.ts'
import type { Manifest } from '#platform/backup/manifest.ts'
import { bytesOf } from '#platform/backup/manifest.ts'

/** Families of metrics: name, help, value. Those that are not given stay as the file has them. */
type Family = readonly [name: string, help: string, value: number]

/** The age of the newest backup, which says most; -1: there is none. */
export function ageFamilies(taken: number | undefined, now: number): Family[] {
  return [
    [
      'cinque_backup_age_seconds',
      'Age of the newest backup when this file was written; -1: there is none',
      taken === undefined ? -1 : Math.round((now - taken) / 1000),
    ],
    [
      'cinque_backup_taken_timestamp_seconds',
      'When the newest backup was taken, seconds since 1970',
      taken === undefined ? 0 : Math.round(taken / 1000),
    ],
  ]
}

export function runFamilies(manifest: Manifest): Family[] {
  return [
    ['cinque_backup_duration_seconds', 'How long the newest backup took', manifest.tookMs / 1000],
    ['cinque_backup_bytes', 'Bytes of the files in the newest backup', bytesOf(manifest)],
    ['cinque_backup_shipped_bytes', 'Bytes that it added to the storage', manifest.shippedBytes],
  ]
}

export function drillFamilies(report: DrillReport): Family[] {
  const count = (outcome: string): number => report.tables.filter((one) => one.outcome === outcome).length
  return [
    ['cinque_restore_drill_ok', 'Whether the last drill restored all as it was noted', report.ok ? 1 : 0],
    [
      'cinque_restore_drill_timestamp_seconds',
      'When it ended, seconds since 1970',
      Math.round(report.at / 1000),
    ],
    ['cinque_restore_drill_seconds', 'How long the restore took', report.restoreMs / 1000],
    ['cinque_restore_drill_tables_equal', 'Tables with the rows that were noted', count('equal')],
    ['cinque_restore_drill_tables_different', 'Tables with other rows', count('different')],
    ['cinque_restore_drill_tables_unchecked', 'Tables of which nothing was noted', count('unchecked')],
  ]
}

/** Writes the families into the file, beside those that it has; it is replaced as a whole. */
export function writeMetricsFile(file: string, families: readonly Family[]): void {
  let before = ''
  try {
    before = readFileSync(file, 'utf8')
  } catch {
    // The first time.
  }
  const written = new Set(families.map(([name]) => name))
  const kept = before.split('\n').filter((line) => {
    const name = /^(?:# (?:HELP|TYPE) )?(\w+)/.exec(line)?.[1]
    return name !== undefined && !written.has(name)
  })
  const lines = families.flatMap(([name, help, value]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name} ${value}`,
  ])
  writeFileSync(`${file}.new`, `${[...kept, ...lines].join('\n')}\n`)
  // Another user reads it, whatever our umask is.
  chmodSync(`${file}.new`, 0o644)
  renameSync(`${file}.new`, file)
}
