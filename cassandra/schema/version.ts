import type cassandra from 'cassandra-driver'
import { StoreError } from '#platform/store/store.ts'
import type { Migration } from './migrations.ts'

/**
 * What was applied, a row per migration. `began` without `ended`: it was cut off, and may be run again as it is.
 * `part` is always the same, so that the whole is one partition.
 */
export const createVersionTable = `CREATE TABLE IF NOT EXISTS schema_version (
  part text, version int, name text, checksum text, began bigint, ended bigint, PRIMARY KEY ((part), version)
)`

export const versionPart = 'cinque'

export interface Applied {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly ended: boolean
}

export async function readVersions(
  client: cassandra.Client,
  keyspace: string,
  consistency: cassandra.types.consistencies,
): Promise<Applied[]> {
  const { rows } = await client.execute(
    `SELECT version, name, checksum, ended FROM ${keyspace}.schema_version WHERE part = ?`,
    [versionPart],
    { prepare: true, consistency },
  )
  return rows.map((row) => ({
    version: Number(row.version),
    name: String(row.name),
    checksum: String(row.checksum),
    ended: row.ended !== null,
  }))
}

/**
 * What was applied must be the beginning of what we know.
 *
 * @throws StoreError `version` with what to do
 */
export function checkHistory(
  keyspace: string,
  applied: readonly Applied[],
  known: readonly Migration[],
): void {
  const newest = applied.at(-1)
  if (newest !== undefined && newest.version > known.length) {
    throw new StoreError(
      'version',
      `keyspace ${keyspace} has schema ${newest.name}, this program knows ${known.at(-1)?.name ?? 'none'}: upgrade the program`,
    )
  }
  for (const { version, name, checksum, ended } of applied) {
    const ours = known[version - 1]
    if (ours.checksum === checksum && ours.name === name) continue
    const state = ended ? 'was applied' : 'was begun, and not finished,'
    throw new StoreError(
      'version',
      `keyspace ${keyspace}: migration ${name} ${state} by a program with another ${ours.name}: ${
        ended ? 'use that program, or restore a backup' : 'finish it with that program first'
      }`,
    )
  }
}

/**
 * For programs that only use the schema: all that we know must have been applied to its end. What a newer version has applied, or
 * is applying, is let be: migrations only add (docs/decisions/2026-11-21-migrations-only-add.md), so that this program can be restarted, and
 * gone back to, while the cell is upgraded.
 */
export function checkComplete(
  keyspace: string,
  applied: readonly Applied[],
  known: readonly Migration[],
): void {
  const ours = applied.filter(({ version }) => version <= known.length)
  checkHistory(keyspace, ours, known)
  const half = ours.find(({ ended }) => !ended)
  if (half !== undefined) {
    throw new StoreError(
      'version',
      `keyspace ${keyspace}: migration ${half.name} was begun and not finished: run \`cinque schema apply\`, which goes on where it stopped`,
    )
  }
  if (ours.length < known.length) {
    throw new StoreError(
      'version',
      `keyspace ${keyspace} lacks migration ${known[ours.length].name}: run \`cinque schema apply\``,
    )
  }
}
