import { z } from 'zod'
import { loadConfig } from '#scripts/config/load.ts'
import { CliError } from '#scripts/output.ts'
import { smtpConfig } from '#platform/identity/smtp-config.ts'
import { publicUrl } from './mail.ts'
import { readSecret } from './secret.ts'

const tls = z.strictObject({
  ca: z.string().describe('PEM file of the authority that the servers are checked against'),
  cert: z.string().optional().describe('PEM file of our own certificate, where the servers want one'),
  key: z.string().optional().describe('PEM file of its private key'),
})

/** What makes a process a member of a cell: the same file for all processes of a host. */
export const memberConfig = z.strictObject({
  dc: z.string().min(1).describe('name of the datacenter, as Cassandra knows it'),
  dc_number: z.number().int().min(1).max(255).describe('its number in the inventory'),
  dc_kind: z
    .enum(['live', 'backup'])
    .default('live')
    .describe('backup: one replica here, so a write counts when another DC has it as well'),
  dc_numbers: z
    .array(z.number().int().min(1).max(255))
    .min(1)
    .describe('numbers of all datacenters of the cell, the own one included'),
  cassandra: z.strictObject({
    contact_points: z.array(z.string()).min(1).describe('addresses of some nodes of the own DC'),
    keyspace: z.string().min(1).default('cinque').describe('keyspace of the cell'),
    username: z.string().optional().describe('user of Cassandra'),
    password_file: z.string().optional().describe("file with that user's password"),
    tls: tls.optional(),
  }),
  nats: z.strictObject({
    servers: z.array(z.string()).min(1).describe('host:port of the own server, and of those to fall back to'),
    seed_file: z.string().optional().describe('file with the nkey seed that the servers know us by'),
    tls: tls.optional(),
  }),
  admin_token_file: z.string().optional().describe('file with the token that opens everything; for the API'),
  public_url: publicUrl.optional(),
  smtp: smtpConfig.optional().describe('without it links are in the log'),
})

export type MemberConfig = z.output<typeof memberConfig>

/** Reads and checks the file. CliError with exit code 2. */
export function loadMember(file: string): MemberConfig {
  return loadConfig(memberConfig, { file }).config
}

/** User and password, as Cassandra is told; nothing without a user. CliError with exit code 2. */
export function credentialsOf(from: { username?: string | undefined; password_file?: string | undefined }): {
  credentials?: { username: string; password: string }
} {
  const { username, password_file: file } = from
  if (username === undefined && file === undefined) return {}
  if (username === undefined || file === undefined) {
    throw new CliError('user name and password file of Cassandra go together', { exitCode: 2 })
  }
  return { credentials: { username, password: readSecret(file, 'password file of Cassandra') } }
}

/** The texts of PEM files, as Cassandra's driver wants them; nothing without files. CliError with exit code 2. */
export function pemsOf(
  files: { ca: string; cert?: string | undefined; key?: string | undefined } | undefined,
): { tls?: { ca: string; cert?: string; key?: string } } {
  if (files === undefined) return {}
  const { ca, cert, key } = files
  if ((cert === undefined) !== (key === undefined)) {
    throw new CliError('certificate and key for Cassandra go together', { exitCode: 2 })
  }
  return {
    tls: {
      ca: readSecret(ca, 'CA of Cassandra'),
      ...(cert === undefined ? {} : { cert: readSecret(cert, 'certificate for Cassandra') }),
      ...(key === undefined ? {} : { key: readSecret(key, 'key for Cassandra') }),
    },
  }
}
