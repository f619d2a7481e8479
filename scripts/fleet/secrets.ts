import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import { secretBytes } from '#platform/backup/seal.ts'
import { newKey } from '#platform/auth/keys.ts'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import type { FleetDirectory } from './directory.ts'

/** The last one that is written: a host whose directory has it has all. */
const last = 'admin-token'

/**
 * The secrets of each host, in a directory of its own that is copied to it: certificates of the cell's two authorities
 * (one for what clients see and NATS, one that Cassandra believes), passwords, keys. What is there stays.
 */
export async function makeSecrets(inventory: Inventory, fleet: FleetDirectory): Promise<void> {
  const adminToken = fleet.kept('admin-token', () => `${newKey('token')}\n`)
  const cassandraPassword = fleet.kept('cassandra-password', () => `${newKey('token')}\n`)
  const gatewayPassword = fleet.kept('gateway-password', () => newKey('token').replaceAll(/[^\w.~-]/g, ''))
  const backupKey = fleet.kept('backup.key', () => `${randomBytes(secretBytes).toString('hex')}\n`)
  for (const host of inventory.hosts) {
    const directory = fleet.make('secrets', host.name)
    if (existsSync(join(directory, last))) continue
    // oxlint-disable-next-line no-await-in-loop -- the authority is made by the first
    await hostCertificate(inventory, host, fleet.make('authorities', 'cell'), directory)
    // oxlint-disable-next-line no-await-in-loop
    await cassandraCertificates(host, fleet.make('authorities', 'cassandra'), directory)
    const keys = nkeys.createUser()
    const files: [string, string][] = [
      ['nats.seed', `${new TextDecoder().decode(keys.getSeed())}\n`],
      // In quotes within quotes: nats-server reads the value of a variable as it reads its file.
      [
        'nats.env',
        `CINQUE_NATS_USER=${keys.getPublicKey()}\nCINQUE_GATEWAY_PASSWORD='"${gatewayPassword}"'\n`,
      ],
      ['cassandra-password', cassandraPassword],
      ['backup.key', backupKey],
      [last, adminToken],
    ]
    for (const [name, text] of files) writeFileSync(join(directory, name), text, { mode: 0o600 })
  }
}

async function hostCertificate(
  { dns }: Inventory,
  { name, address }: Host,
  authority: string,
  to: string,
): Promise<void> {
  const names = dns === undefined ? [] : [name, ...dns.names].map((one) => `${one}.${dns.zone}`)
  const request = { name, dns: [name, ...names], ips: [address] }
  const { caFile, files } = await makeCertificates({ directory: authority, requests: [request] })
  renameSync(files[name].certFile, join(to, 'host.pem'))
  renameSync(files[name].keyFile, join(to, 'host.key'))
  copyFileSync(caFile, join(to, 'ca.pem'))
}

async function cassandraCertificates({ name, address }: Host, authority: string, to: string): Promise<void> {
  const { caFile, files } = await makeCertificates({
    directory: authority,
    authority: 'cinque cassandra',
    requests: [
      { name, ips: [address] },
      { name: `${name}-client`, dns: [name] },
    ],
  })
  const client = files[`${name}-client`]
  renameSync(client.certFile, join(to, 'cassandra-client.pem'))
  renameSync(client.keyFile, join(to, 'cassandra-client.key'))
  copyFileSync(caFile, join(to, 'cassandra-ca.pem'))
  const parts = [files[name].keyFile, files[name].certFile, caFile]
  const identity = parts.map((file) => readFileSync(file, 'utf8')).join('')
  writeFileSync(join(to, 'cassandra.pem'), identity, { mode: 0o600 })
}
