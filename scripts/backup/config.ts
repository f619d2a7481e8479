import { z } from 'zod'
import { DirectoryStore } from '#platform/backup/directory-store.ts'
import type { Logger } from '#platform/log.ts'
import type { ConnectionOptions } from '#cassandra/store/connection.ts'
import type { ObjectStore } from '#platform/backup/object-store.ts'
import { S3Store } from '#platform/backup/s3/s3-store.ts'
import { defaultRetention } from '#platform/backup/retention.ts'
import { credentialsOf, pemsOf } from '#scripts/cell/member-config.ts'
import { readSecret } from '#scripts/cell/secret.ts'
import { loadConfig } from '#scripts/config/load.ts'
import { CliError } from '#scripts/output.ts'

const program = z.array(z.string().min(1)).min(1)

const cassandra = z.strictObject({
  address: z
    .string()
    .min(1)
    .describe('of the node on this host; its datacenter must hold every row on each node'),
  dc: z.string().min(1).describe('name of its datacenter, as Cassandra knows it'),
  keyspace: z.string().min(1).default('cinque').describe('keyspace of the cell'),
  username: z.string().optional().describe('user of Cassandra'),
  password_file: z.string().optional().describe("file with that user's password"),
  tls: z
    .strictObject({
      ca: z.string().describe('PEM file of the authority that the nodes are checked against'),
      cert: z.string().optional().describe('PEM file of our own certificate, where the nodes want one'),
      key: z.string().optional().describe('PEM file of its private key'),
    })
    .optional(),
  data: z.string().min(1).default('/var/lib/cassandra/data').describe('where the node keeps its tables'),
  nodetool: program.default(['nodetool']).describe('command and its first arguments'),
  sstableloader: program.default(['sstableloader']).describe('command and its first arguments, for restores'),
})

/** What is backed up, and where to. */
export const backupConfig = z.strictObject({
  directory: z.string().min(1).optional().describe('where the backups are kept: this directory, or `s3`'),
  s3: z
    .strictObject({
      endpoint: z.url().describe('as https://s3.eu-central-1.amazonaws.com; the bucket is put behind it'),
      region: z.string().min(1).default('us-east-1').describe('what requests are signed for'),
      bucket: z
        .string()
        .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be 3 to 63 of a-z, 0-9, - and .')
        .describe('its name'),
      prefix: z
        .string()
        .regex(/^[A-Za-z0-9._/-]{0,200}$/, 'must be letters, digits, ., _, / and -')
        .default('')
        .describe('put in front of the name of every object'),
      access_key: z.string().min(1).describe('id of the key that requests are signed with'),
      secret_key_file: z.string().min(1).describe('file with the secret part of that key'),
    })
    .optional()
    .describe('where the backups are kept: a bucket of S3, or of what speaks as S3 does'),
  key_file: z
    .string()
    .min(1)
    .describe('file with the key that backups are encrypted with; keep a copy elsewhere'),
  data: z.string().min(1).optional().describe('what is backed up: the data of one process, or `cassandra`'),
  cassandra: cassandra
    .optional()
    .describe('what is backed up: all rows of a cell, from one node that has them'),
  files: z
    .array(z.string().min(1))
    .default([])
    .describe('inventory, secrets, certificates: kept with the data'),
  scratch: z.string().min(1).default('/var/tmp').describe('where copies and drills have their files'),
  metrics_file: z
    .string()
    .optional()
    .describe("where to write metrics, for node_exporter's textfile collector (a name that ends in .prom)"),
  retention: z
    .strictObject({
      hours: z
        .int()
        .min(1)
        .max(10_000)
        .default(defaultRetention.hours)
        .describe('one backup of every two hours'),
      days: z.int().min(1).max(10_000).default(defaultRetention.days).describe('one of every day'),
      weeks: z.int().min(1).max(1_000).default(defaultRetention.weeks).describe('one of every week'),
    })
    .prefault({}),
})

export type BackupConfig = z.output<typeof backupConfig>

/** Reads and checks the file. CliError with exit code 2. */
export function loadBackupConfig(file: string): BackupConfig {
  const { config } = loadConfig(backupConfig, { file })
  if ((config.directory === undefined) === (config.s3 === undefined))
    throw new CliError(`${file}: directory, s3: exactly one of them says where the backups are`, {
      exitCode: 2,
    })
  if ((config.data === undefined) === (config.cassandra === undefined))
    throw new CliError(`${file}: data, cassandra: exactly one of them says what is backed up`, {
      exitCode: 2,
    })
  return config
}

export function storageOf({ directory, s3 }: BackupConfig): ObjectStore {
  if (directory !== undefined) return new DirectoryStore(directory)
  if (s3 === undefined) throw new CliError('directory, s3: one must be set', { exitCode: 2 })
  const { endpoint, region, bucket, prefix } = s3
  const credentials = {
    accessKey: s3.access_key,
    secretKey: readSecret(s3.secret_key_file, 's3.secret_key_file'),
  }
  return new S3Store({ endpoint, region, bucket, prefix: prefix.replace(/^\/+|\/+$/g, ''), credentials })
}

/** How the node of a configuration is spoken to. CliError with exit code 2. */
export function connectionOf(
  { address, dc, tls, ...credentials }: NonNullable<BackupConfig['cassandra']>,
  log: Logger,
): Omit<ConnectionOptions, 'keyspace' | 'only'> {
  return { contactPoints: [address], localDc: dc, ...credentialsOf(credentials), ...pemsOf(tls), log }
}
