import { expect } from 'chai'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { engineTools, runTool } from '#cassandra/backup/tools.ts'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import { migrate } from '#cassandra/migrate.ts'
import { type CassandraNode, startNode } from '#cassandra/local/node.ts'
import { connect, type ConnectionOptions } from '#cassandra/store/connection.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import { inbox } from '#platform/store/tables.ts'
import { put, storeError } from '../platform/store/contract.ts'
import { address, keyspace, newDirectory, newNode, silent, startTimeoutMs } from './node.ts'
import { eventually } from '../patience.ts'

/** Of JMX, on 127.0.0.1: one that no other run has. */
const jmxPort = 40_000 + (process.pid % 20_000)

/** A template of Puppet's with its values, and other places than on a host. */
function rendered(template: string, values: Record<string, string>, places: Record<string, string>): string {
  let text = readFileSync(`puppet/modules/profile/templates/${template}.epp`, 'utf8').replace(
    /^<%-[^%]*-%>\n/,
    '',
  )
  for (const [name, value] of Object.entries(values)) text = text.replaceAll(`<%= $${name} %>`, value)
  for (const [from, to] of Object.entries(places)) text = text.replaceAll(from, to)
  expect(text, `${template}.epp has values that this test does not know`).not.to.include('<%')
  return text
}

describe('Cassandra with passwords and TLS', () => {
  let node: CassandraNode
  let options: ConnectionOptions & { keyspace: string }
  let otherCa = ''
  const credentials = { username: 'cassandra', password: 'cassandra' }

  before(async function () {
    this.timeout(startTimeoutMs)
    const directory = newDirectory()
    const ip = address(3)
    const { caFile, files } = await makeCertificates({
      directory,
      requests: [
        { name: 'node', ips: [ip] },
        { name: 'client', dns: ['client'] },
      ],
    })
    const identity = join(directory, 'node-identity.pem')
    writeFileSync(
      identity,
      [files.node.keyFile, files.node.certFile, caFile].map((file) => readFileSync(file, 'utf8')).join(''),
    )
    otherCa = readFileSync(
      (await makeCertificates({ directory: newDirectory(), requests: [{ name: 'x', dns: ['x'] }] })).caFile,
      'utf8',
    )
    node = await newNode(3, { passwords: true, tls: { identity, ca: caFile }, jmxPort })
    options = {
      contactPoints: [ip],
      localDc: 'dc01',
      keyspace,
      log: silent,
      credentials,
      tls: {
        ca: readFileSync(caFile, 'utf8'),
        cert: readFileSync(files.client.certFile, 'utf8'),
        key: readFileSync(files.client.keyFile, 'utf8'),
      },
    }
    await node.cqlReady
    await firstLogin(options)
    await migrate({ ...options, replication: { dc01: 1 } })
  })

  it('works with both', async () => {
    const store = await openCassandraStore({ ...options, tables: [inbox] })
    const row = { org: 'o', log: Buffer.from('l'), day: 1, writer: Buffer.from('w'), seq: 1 }
    await put(store, inbox, row)
    expect(await store.get(inbox, row)).to.not.equal(undefined)
    await store.close()
  })

  it("takes rows from sstableloader as Puppet installs it, which shows no password to the host's other users", async () => {
    const { directory } = node.options
    const engine = await ensureCassandra({ log: silent })
    const { nodetool } = engineTools(engine, jmxPort, join(directory, 'cassandra.yaml'))
    await runTool(nodetool, ['flush', keyspace, inbox.name])
    const tables = join(directory, 'data', 'data', keyspace)
    const own = readdirSync(tables).find((name) => name.startsWith(`${inbox.name}-`)) ?? ''
    const copy = join(newDirectory(), keyspace, inbox.name)
    cpSync(join(tables, own), copy, { recursive: true, filter: (path) => !/snapshots|backups/.test(path) })
    const admin = await connect(options)
    await admin.execute(`TRUNCATE ${keyspace}.${inbox.name}`)
    await admin.shutdown()

    const home = newDirectory()
    const places = { '/etc/cinque/cassandra': home }
    const jars = {
      '<%= $directory %>/jars/*': dirname(engine.classPath.split(':')[0]) + '/*',
      // Options of a newer Java.
      '<% $more.each |$option| { -%>\n<%= $option %>\n<% } -%>\n': '',
    }
    cpSync(join(directory, 'cassandra.yaml'), join(home, 'cassandra.yaml'))
    cpSync(join(directory, 'logback.xml'), join(home, 'logback.xml'))
    writeFileSync(join(home, 'nodetool.options'), rendered('nodetool.options', {}, jars))
    writeFileSync(join(home, 'cassandra-password'), 'cassandra')
    const values = { java: engine.java, secrets: home }
    const loader = rendered('sstableloader', values, { ...places, '-u cinque': '-u cassandra' })
    writeFileSync(join(home, 'sstableloader'), loader, { mode: 0o755 })
    await runTool([join(home, 'sstableloader')], ['-d', node.ip, copy])

    const store = await openCassandraStore({ ...options, tables: [inbox] })
    const row = { org: 'o', log: Buffer.from('l'), day: 1, writer: Buffer.from('w'), seq: 1 }
    expect(await store.get(inbox, row)).to.not.equal(undefined)
    await store.close()
  }).timeout(60_000)

  const refusals: [what: string, change: () => object, code: string, message: RegExp][] = [
    [
      'a wrong password',
      () => ({ credentials: { username: 'cassandra', password: 'wrong' } }),
      'readonly',
      /refuses user cassandra: wrong user or password/,
    ],
    [
      'no password',
      () => ({ credentials: undefined }),
      'readonly',
      /wants a user and a password: none are set/,
    ],
    ['no TLS', () => ({ tls: undefined }), 'unavailable', /closes the connection: does it want TLS\?/],
    [
      'no certificate of ours',
      () => ({ tls: { ca: options.tls?.ca } }),
      'unavailable',
      /TLS is refused|closes the connection/,
    ],
    [
      'a certificate that we do not believe',
      () => ({ tls: { ...options.tls, ca: otherCa } }),
      'unavailable',
      /TLS is refused/,
    ],
    [
      'a datacenter that it is not in',
      () => ({ localDc: 'dc09' }),
      'version',
      /has no datacenter dc09, only \[dc01\]/,
    ],
  ]
  for (const [what, change, code, message] of refusals) {
    it(`${what} is said in one line`, async () => {
      const error = await storeError(openCassandraStore({ ...options, ...change(), tables: [inbox] }))
      expect(error.message).to.match(message)
      expect(error.message).to.not.include('\n')
      expect(error.code).to.equal(code)
    })
  }

  it('an address that is taken is named, and what takes it can be found', async () => {
    const { engine } = node.options
    const taken = await startNode({ engine, directory: newDirectory(), ip: node.ip, dc: 'dc01' }).catch(
      String,
    )
    expect(taken).to.match(/:9042 is taken by another process .*: stop it/)
    const again = await startNode({ ...node.options }).catch(String)
    expect(again).to.match(/a Cassandra node already runs in .* \(process \d+\): stop it first/)
  })

  it('a node that refuses to start says why, in one line', async () => {
    const bad = await newNode(4, { config: { partitioner: 'Nothing' } })
    const error = await bad.cqlReady.then(() => 'started', String)
    expect(error).to.match(/^EngineError: Cassandra node .* did not start: .*Nothing.*\(log: .*\)$/)
  })
})

/** The first user is made some moments after the node serves. */
async function firstLogin(options: ConnectionOptions): Promise<void> {
  const { keyspace: _, ...at } = options
  let refused: unknown = null
  await eventually(
    () => `the first login: ${String(refused)}`,
    async () => {
      try {
        const client = await connect(at)
        await client.shutdown()
        return true
      } catch (error) {
        refused = error
        return false
      }
    },
    60_000,
    200,
  )
}
