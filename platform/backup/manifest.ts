import { z } from 'zod'

/** Files that are kept as one: their contents one behind the other, cut into chunks. */
const unit = z.strictObject({
  name: z.string(),
  files: z.array(
    z.strictObject({
      path: z.string(),
      bytes: z.int().min(0),
      /** Milliseconds since 1970. */
      modified: z.number(),
    }),
  ),
  /** Names of their contents, in order. */
  chunks: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
})

const fingerprint = z.strictObject({
  rows: z.int().min(0),
  /** Sum of the hashes of all rows, 128 bits in hex: the same in whatever order they are read. */
  hash: z.string(),
})

const tableBackup = z.strictObject({
  name: z.string(),
  units: z.array(unit),
  /** What was read at the time of the backup; absent: not counted, or it was written to meanwhile. */
  noted: fingerprint.optional(),
})

export const manifestSchema = z.strictObject({
  /** Of this file; another one is of another program. */
  format: z.literal(1),
  id: z.string(),
  /** Milliseconds since 1970: all that was acknowledged by then is in it. */
  taken: z.number(),
  /** How long it took to make, in milliseconds, and what was newly stored. */
  tookMs: z.number(),
  shippedBytes: z.number(),
  program: z.string(),
  engine: z.enum(['cassandra', 'lmdb']),
  /** Where it was taken: host name, or DC and address of the node. */
  source: z.string(),
  cell: z.string().optional(),
  /** Of Cassandra: what the tables are made by. */
  schema: z
    .strictObject({
      keyspace: z.string(),
      /** Replicas by DC. */
      replication: z.record(z.string(), z.number()),
      migrations: z.array(z.strictObject({ version: z.int(), name: z.string(), checksum: z.string() })),
    })
    .optional(),
  tables: z.array(tableBackup),
  /** Embedded: the data as one file. */
  data: unit.optional(),
  /** Inventory, secrets and what else was named in the configuration, by their paths. */
  files: unit.optional(),
})

export type Unit = z.output<typeof unit>
export type TableBackup = z.output<typeof tableBackup>
export type Manifest = z.output<typeof manifestSchema>

/** All units of a backup. */
export function unitsOf({ tables, data, files }: Manifest): Unit[] {
  return [...tables.flatMap(({ units }) => units), ...(data ? [data] : []), ...(files ? [files] : [])]
}

/** Bytes of the files in a backup. */
export function bytesOf(manifest: Manifest): number {
  return unitsOf(manifest)
    .flatMap(({ files }) => files)
    .reduce((sum, { bytes }) => sum + bytes, 0)
}
