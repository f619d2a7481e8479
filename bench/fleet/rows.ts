import type { Fleet } from '#scripts/fleet/fleet.ts'
import type { Host } from '#platform/inventory/inventory.ts'

/** Kilobytes of a row, which do not compress. */
const rowKb = 64
const keyspace = 'bench'

/** A client of the host's own DC, as a process of the cell is one. Runs on an app host. */
const client = (contact: Host): string => `
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
const cassandra = createRequire('/opt/cinque/current/scripts/')('cassandra-driver')
const secret = (name) => readFileSync('/etc/cinque/secrets/' + name, 'utf8')
const client = new cassandra.Client({
  contactPoints: ['${contact.address}'], localDataCenter: '${contact.dc}',
  authProvider: new cassandra.auth.PlainTextAuthProvider('cinque', secret('cassandra-password').trim()),
  sslOptions: { ca: secret('cassandra-ca.pem'), cert: secret('cassandra-client.pem'), key: secret('cassandra-client.key') },
  socketOptions: { readTimeout: 60000 },
  policies: { loadBalancing: new cassandra.policies.loadBalancing.AllowListPolicy(
    new cassandra.policies.loadBalancing.DCAwareRoundRobinPolicy('${contact.dc}'), ['${contact.address}:9042']) },
})
await client.connect()
const { consistencies } = cassandra.types
`

export interface Filling {
  readonly megabytes: number
  /** Number of its first row (0). */
  readonly from?: number
  /** Who has a row when it is acknowledged: all replicas (default), or most of those of the contact's own DC. */
  readonly consistency?: 'all' | 'localQuorum'
}

/** Writes rows that are acknowledged when it resolves; how many. */
export async function fill(
  fleet: Fleet,
  on: Host,
  contact: Host,
  { megabytes, from = 0, consistency = 'all' }: Filling,
): Promise<number> {
  const rows = Math.ceil((megabytes * 1024) / rowKb)
  const replicas = fleet.inventory.dcs.map(({ name, replicas: count }) => `'${name}': ${count}`).join(', ')
  const script = `${client(contact)}
await client.execute("CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', ${replicas}}")
await client.execute("CREATE TABLE IF NOT EXISTS ${keyspace}.filler (id int PRIMARY KEY, data blob)")
let next = ${from}
await Promise.all(Array.from({ length: 8 }, async () => {
  while (next < ${from + rows}) {
    const params = [next++, randomBytes(${rowKb * 1024})]
    for (let left = 5; ; left--) {
      try {
        await client.execute('INSERT INTO ${keyspace}.filler (id, data) VALUES (?, ?)', params,
          { prepare: true, consistency: consistencies.${consistency} })
        break
      } catch (error) { if (left === 0) throw error }
    }
  }
}))
await client.shutdown()
`
  await onHost(fleet, on, script)
  return rows
}

/** How many rows the node itself has: nobody else is asked. */
export async function rowsOf(fleet: Fleet, on: Host, contact: Host): Promise<number> {
  const script = `${client(contact)}
let rows = 0
for await (const row of client.stream('SELECT DISTINCT id FROM ${keyspace}.filler', [], { prepare: true, autoPage: true, fetchSize: 200, consistency: consistencies.localOne })) rows += 1
console.log(rows)
await client.shutdown()
`
  return Number(await onHost(fleet, on, script))
}

async function onHost(fleet: Fleet, on: Host, script: string): Promise<string> {
  const command = '/opt/cinque/current/bin/node --input-type=module -'
  const { code, stdout, stderr } = await fleet.machine(on).exec(['sh', '-c', command], {
    input: script,
    timeoutMs: 1_200_000,
  })
  if (code === 0) return stdout.trim()
  const lines = stderr.trim().split('\n')
  throw new Error(`${on.name}: ${lines.find((line) => line.includes('Error')) ?? `ended with ${code}`}`)
}
