import { globSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { AnyTable } from '#platform/store/table.ts'
import { startTestApi, type TestApi } from './fixture.ts'
import { member, signIn } from './people.ts'
import { sample } from './sample.ts'

interface Operation {
  readonly operationId: string
  readonly security: Record<string, unknown>[]
  readonly parameters?: { name: string; in: string; required?: boolean; schema: object }[]
  readonly requestBody?: { content: Record<string, { schema: object }> }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

/** Rows that say who did what, or how much, not what is there. */
const accounts = new Set([
  'audit',
  'audit_day',
  'api_key_use',
  'usage',
  'repeat',
  'refresh_token',
  'user_session',
])
const methods = ['get', 'post', 'put', 'patch', 'delete'] as const
/** Long enough for any answer; live streams go on. */
const patienceMs = 10_000

describe('REST: whatever is asked for', function () {
  this.timeout(60_000)
  let api: TestApi
  let tables: AnyTable[]
  let document: object
  let calls: Call[]
  /** By name of a path parameter. */
  let victims: Record<string, string>
  /** In no answer to others. */
  let marks: string[]

  before(async () => {
    const root = join(import.meta.dirname, '../..')
    const modules = await Promise.all(
      globSync('platform/*/tables.ts', { cwd: root }).map(
        (file) => import(join(root, file)) as Promise<Record<string, unknown>>,
      ),
    )
    tables = modules.flatMap((module) => Object.values(module)).filter(isTable)
    expect(tables.length).to.be.above(20)
  })

  beforeEach(async () => {
    api = await startTestApi()
    document = (await api.ask('GET', '/v1/openapi.json')).body
    const { paths } = document as { paths: Record<string, Record<string, Operation>> }
    calls = Object.entries(paths).flatMap(([path, item]) =>
      methods
        .filter((method) => item[method] !== undefined)
        .map((method) => ({ method, path, operation: item[method] })),
    )
    calls = calls.filter(({ operation }) => operation.security.length > 0)
    // What deletes comes last, so that the rest has something to find.
    calls = [
      ...calls.filter(({ method }) => method !== 'delete'),
      ...calls.filter(({ method }) => method === 'delete'),
    ]
  })
  afterEach(() => api.close())

  /** Something of each kind in an organisation. */
  async function furnish(org: string): Promise<void> {
    const at = `organisation=${org}`
    const make = async (path: string, body: object): Promise<Record<string, string>> => {
      const { status, body: made, text } = await api.ask('POST', `${path}?${at}`, { body })
      expect(status, `${path} ${text}`).to.be.within(200, 299)
      return made
    }
    const device = await make('/v1/devices', { name: 'victim-thermo' })
    const authorization = `Device ${device.key}`
    await api.ask('POST', '/v1/ingest', { authorization, body: { 'victim-temp': 21 } })
    const group = await make('/v1/groups', { name: 'victim-group' })
    const put = await api.ask('PUT', `/v1/groups/${group.id}/members/victim-thermo?${at}`)
    expect(put.status, put.text).to.equal(204)
    const node = await make('/v1/devices/victim-thermo/nodes', { name: 'victim-node' })
    const key = await make('/v1/api-keys', { name: 'victim-key', role: 'admin' })
    const invitation = await make('/v1/invitations', { email: 'victim-guest@example.com' })
    const user = await member(api, 'victim@example.com', 'admin', org)
    const { session } = await signIn(api, 'victim@example.com')
    const command = await make('/v1/devices/victim-thermo/commands', { name: 'victim-command' })
    await api.ask('PATCH', `/v1/devices/victim-thermo/twins/state?${at}`, {
      body: { desired: { mark: 'victim-twin' } },
    })
    victims = {
      organisation: org,
      device: device.id,
      group: group.id,
      node: node.id,
      key: key.id,
      invitation: invitation.id,
      user,
      session,
      client: 'victim-client',
      command: command.id,
      twin: 'state',
    }
    marks = ['victim-', 'victim@', ...[device, group, node, key, invitation, command].map(({ id }) => id)]
  }

  /** All that the store holds of an organisation. */
  async function rowsOf(org: string): Promise<Record<string, string[]>> {
    await api.platform.lanes.durable()
    const found: Record<string, string[]> = {}
    for (const table of tables.filter(({ name }) => !accounts.has(name))) {
      const { rows } = await api.platform.store.scan(table, null, 10_000)
      const own = rows.map((row) => JSON.stringify(row)).filter((row) => row.includes(`"${org}"`))
      if (own.length > 0) found[table.name] = own.toSorted((a, b) => (a < b ? -1 : 1))
    }
    return found
  }

  async function send(
    { method, path, operation }: Call,
    authorization: string,
    ids: Record<string, string>,
    organisation?: string,
  ): Promise<{ status: number; text: string }> {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? ids.device)
    const url = new URL(api.url + filled)
    for (const parameter of operation.parameters ?? []) {
      if (parameter.in !== 'query' || parameter.name === 'organisation' || parameter.required !== true)
        continue
      url.searchParams.set(parameter.name, String(sample(parameter.schema, document, ids)))
    }
    if (organisation !== undefined) url.searchParams.set('organisation', organisation)
    const [[type, content] = ['', null]] = Object.entries(operation.requestBody?.content ?? {})
    const body = content === null ? null : JSON.stringify(sample(content.schema, document, ids))
    const headers = { authorization, ...(body === null ? {} : { 'content-type': type }) }
    const response = await fetch(url, {
      method: method.toUpperCase(),
      headers,
      body,
      signal: AbortSignal.timeout(patienceMs),
    })
    if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
      await response.body?.cancel()
      return { status: response.status, text: '' }
    }
    return { status: response.status, text: await response.text() }
  }

  it('nobody of another organisation sees, changes or deletes anything', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })
    const evil = await api.ask('POST', '/v1/organisations', { body: { id: 'evil' } })
    await furnish('acme')
    const key = await api.ask('POST', '/v1/api-keys?organisation=evil', {
      body: { name: 'x', role: 'admin' },
    })
    await member(api, 'eve@example.com', 'admin', 'evil')
    const eve = await signIn(api, 'eve@example.com')
    const device = await api.device('evil-thermo', 'evil')
    const attackers = {
      device: `Device ${device.key}`,
      token: `Bearer ${evil.body.token}`,
      'API key': `Bearer ${key.body.secret}`,
      person: `Bearer ${eve.access}`,
    }
    const before = await rowsOf('acme')
    expect(Object.keys(before)).to.include.members([
      'device',
      'api_key',
      'membership',
      'invitation',
      'latest',
    ])
    for (const [who, authorization] of Object.entries(attackers)) {
      for (const call of calls) {
        const about = `${who}: ${call.method} ${call.path}`
        const names = call.path.includes('{')
        // What is of the caller alone would end the attack early.
        if (!names && (call.path.startsWith('/v1/me') || call.operation.operationId === 'deleteDevices'))
          continue
        for (const organisation of [undefined, 'acme']) {
          const { status, text } = await send(call, authorization, victims, organisation)
          expect(status, `${about} ${text}`).to.be.below(500)
          // The ids that the caller has sent may come back to it.
          const sent = names || call.method !== 'get' || call.path.startsWith('/v1/audit')
          if (!sent) for (const mark of marks) expect(text, about).to.not.include(mark)
          const theirs =
            organisation !== undefined && call.method === 'get' && !call.path.startsWith('/v1/sessions')
          if (theirs || (names && !call.path.includes('/{twin}')))
            expect(status, `${about} ${text}`).to.be.above(399)
        }
      }
    }
    expect(await rowsOf('acme')).to.deep.equal(before)
  })

  it('who was granted a group sees, changes and deletes no device outside of it', async () => {
    await furnish('default')
    const group = await api.ask('POST', '/v1/groups', { body: { name: 'own' } })
    expect(group.status, group.text).to.equal(201)
    await api.device('own-thermo')
    await api.ask('PUT', `/v1/groups/${group.body.id}/members/own-thermo`)
    const grant = { role: 'admin', groups: [group.body.id] }
    const key = await api.ask('POST', '/v1/api-keys', { body: { name: 'limited', ...grant } })
    const id = await member(api, 'bob@example.com', 'admin')
    await api.ask('PATCH', `/v1/users/${id}`, { body: grant })
    const bob = await signIn(api, 'bob@example.com')
    const before = await rowsOf(victims.device)
    expect(Object.keys(before)).to.include.members(['device', 'latest', 'node'])
    const others = await rowsOf('default')
    const own = await bob.ask('GET', '/v1/devices')
    expect(own.body.items.map(({ name }: { name: string }) => name)).to.deep.equal(['own-thermo'])
    for (const authorization of [`Bearer ${key.body.secret}`, `Bearer ${bob.access}`]) {
      for (const call of calls) {
        const about = `${call.method} ${call.path}`
        if (call.path.startsWith('/v1/me') || call.path.startsWith('/v1/sessions')) continue
        // Within his group he may, and what he makes is in it.
        if (call.operation.operationId === 'deleteDevices' || call.operation.operationId === 'updateDevices')
          continue
        const { status, text } = await send(call, authorization, victims)
        expect(status, `${about} ${text}`).to.be.below(500)
        if (call.path.includes('{device}')) expect(status, `${about} ${text}`).to.be.above(399)
        else for (const mark of ['victim-thermo', 'victim-temp']) expect(text, about).to.not.include(mark)
      }
    }
    // Batches of commands are made after their answer; those of no device have ended.
    for (const { id: batch } of (await api.ask('GET', '/v1/command-batches')).body.items) {
      let ended = false
      while (!ended) ({ ended } = (await api.ask('GET', `/v1/command-batches/${batch}`)).body)
    }
    expect(await rowsOf(victims.device)).to.deep.equal(before)
    for (const table of ['organisation', 'api_key', 'membership', 'invitation', 'member'])
      expect((await rowsOf('default'))[table], table).to.deep.equal(others[table])
  })
})

function isTable(value: unknown): value is AnyTable {
  return typeof value === 'object' && value !== null && 'partition' in value
}
