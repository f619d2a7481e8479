import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Clients } from '#api/deps.ts'
import { type ApiDescription, operationsOf, resolved } from '#scripts/codegen/document.ts'
import { ContextFile } from '#scripts/client/contexts.ts'
import { nouns } from '#scripts/program.ts'
import { adminToken, startTestApi, type TestApi } from '../api/fixture.ts'
import { member, password } from '../api/people.ts'
import { noon } from '../platform/telemetry/fixture.ts'
import { Child, cinque, cleanEnv, entry, type Finished, temporaryFolder } from './child.ts'
import { runHere } from './cli-runner.ts'

/** What no verb is for. */
const elsewhere = new Map([
  ['signIn', 'cinque login'],
  ['refreshSession', 'by itself'],
  ['setUp', 'the page that the link leads to'],
  ['createSetupLink', 'the page that the link leads to'],
  ['listOverrides', 'cinque dc overrides'],
  ['getOverride', 'cinque dc overrides'],
  ['putOverride', 'cinque dc drain, weight, keep'],
  ['deleteOverride', 'cinque dc undrain'],
  ['listCheckerOverrides', 'checkers do'],
  ['reportTwin', 'devices do'],
  ['createIngest', 'devices do'],
  ['createProvision', 'devices do'],
  ['listCheckerPlans', 'checkers do'],
  ['rotateOwnKey', 'devices do'],
  ['createRoll', 'cinque roll restart and its like'],
  ['takeRoll', 'cinque roll run'],
  ['reportRoll', 'cinque roll run'],
  ['beatRoll', 'cinque roll run'],
  ['haltRoll', 'cinque roll run'],
  ['getRollEvents', 'cinque roll watch'],
  ['claimScheduleRun', 'cinque operator'],
  ['reportScheduleRun', 'cinque operator'],
  ['listErrors', 'the API about itself'],
  ['getOpenApi', 'the API about itself'],
  ['getReference', 'the API about itself'],
  ['getReferenceStyle', 'the API about itself'],
])

const clients: Clients = {
  find: async (_: string, id: string) => ({ client: id === 'c-1' ? details : null, complete: true }),
  kick: async (_: string, id: string) => ({ kicked: id === 'c-1', complete: true }),
  list: async () => ({ clients: [{ id: 'c-1', view: details }], more: false, complete: true }),
  subscriptions: async () => ({
    found: { page: [{ filter: 's/1', qos: 1, no_local: false }], count: 1, more: false },
    complete: true,
  }),
} as unknown as Clients
const details = {
  connected: true,
  process: 'dc01-b1',
  dc: 'dc01',
  since: Date.UTC(2026, 10, 21),
  address: '192.0.2.1',
  version: 4,
  username: 'pump-1',
  device: 'abc',
  keepAlive: 60,
  sessionExpiry: 3600,
  queued: 3,
  inflight: 2,
  drops: {},
  subscriptionCount: 1,
  subscriptions: [{ filter: 's/1', qos: 1 }],
}

describe('verbs of the command line', () => {
  const document = JSON.parse(
    readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
  ) as ApiDescription

  it('are there for every operation of the API', () => {
    const covered = new Set<string>(nouns.flatMap(({ verbs }) => verbs.map(({ operation }) => operation)))
    const missing = operationsOf(document)
      .filter(({ path }) => path.startsWith('/v1/'))
      .map(({ operation }) => operation.operationId)
      .filter((id) => !covered.has(id) && !elsewhere.has(id))
    expect(missing, 'give it a verb in scripts/commands/').to.deep.equal([])
  })

  it('have columns that the items of their lists have', () => {
    for (const { name, verbs } of nouns) {
      for (const { name: verb, operation, columns = [] } of verbs) {
        const found = operationsOf(document).find((one) => one.operation.operationId === operation)
        const { 200: ok, 201: made } = found?.operation.responses ?? {}
        const schema = (ok ?? made)?.content?.['application/json']?.schema
        const items = resolved(schema ?? {}, document).properties?.items?.items ?? {}
        for (const column of columns.filter((one) => one !== '*' && items.anyOf === undefined)) {
          const has = Object.keys(resolved(items, document).properties ?? {})
          expect(has, `${name} ${verb}`).to.include(column.split('.')[0])
        }
      }
    }
  })

  describe('at a platform', () => {
    let api: TestApi
    let folder: ReturnType<typeof temporaryFolder>
    before(async () => {
      api = await startTestApi({ clients })
      folder = temporaryFolder()
    })
    after(async () => {
      await api.close()
      folder.remove()
    })

    function cli(...args: string[]): Promise<Finished> {
      return runHere(...args, '--url', api.url, '--token', adminToken)
    }
    /** What it says as JSON; the exit code must be 0. */
    // oxlint-disable-next-line typescript/no-explicit-any -- whatever it printed; the tests look into it
    async function jsonOf(...args: string[]): Promise<any> {
      const { code, stdout, stderr } = await cli(...args, '--json')
      expect(code, `${args.join(' ')}: ${stderr}`).to.equal(0)
      return JSON.parse(stdout)
    }
    async function textOf(...args: string[]): Promise<string> {
      const { code, stdout, stderr } = await cli(...args)
      expect(code, `${args.join(' ')}: ${stderr}`).to.equal(0)
      return stdout
    }
    /** A list, in both ways. */
    async function listOf(key: string, head: RegExp, ...args: string[]): Promise<unknown[]> {
      expect(await textOf(...args)).to.match(head)
      const body = await jsonOf(...args)
      expect(body, args.join(' ')).to.have.all.keys(key)
      return body[key] as unknown[]
    }

    it('devices, with their credentials and nodes', async () => {
      const made = await jsonOf('devices', 'add', 'pump-1', '--labels', 'site=berlin', '--labels', 'floor=2')
      expect(made.labels).to.deep.equal({ site: 'berlin', floor: '2' })
      expect(await textOf('devices', 'add', 'pump-2')).to.match(/^pump-2 {2}key k_\S+ {2}\(shown this once/)
      expect(await listOf('devices', /^NAME +ID +CREATED\npump-1 /, 'devices', 'list')).to.have.length(2)
      expect(
        await listOf(
          'devices',
          /^NAME\npump-1\n$/,
          'devices',
          'list',
          '--label',
          'floor=2',
          '--columns',
          'name',
        ),
      ).to.have.length(1)
      expect(await textOf('devices', 'list', '--label', 'floor=9')).to.equal('no devices\n')
      expect(await jsonOf('devices', 'list', '--limit', '1'))
        .to.have.property('devices')
        .with.length(1)
      expect(await textOf('devices', 'show', 'pump-1')).to.match(/^id +\S+\nname +pump-1\n/)
      const changed = await jsonOf('devices', 'update', 'pump-1', '--enabled', 'false', '--profile', 'null')
      expect(changed).to.include({ enabled: false, profile: null })
      expect((await jsonOf('devices', 'rotate', 'pump-1')).key).to.not.equal(made.key)
      const { id } = await jsonOf('credentials', 'add', 'pump-1', '--label', 'spare')
      await listOf('credentials', /^ID +LABEL +CREATED/, 'credentials', 'list', 'pump-1')
      expect(await textOf('credentials', 'rm', 'pump-1', id)).to.equal(`removed ${id}\n`)
      const node = await jsonOf('nodes', 'add', 'pump-1', '--name', 'motor')
      expect(await listOf('nodes', /^NAME +ID/, 'nodes', 'list', 'pump-1')).to.have.length(1)
      expect(await jsonOf('nodes', 'rm', 'pump-1', node.id)).to.deep.equal({ removed: node.id })
      expect(await textOf('devices', 'rm', 'pump-2')).to.equal('removed pump-2\n')
      const filter = ['--label', 'site=berlin', '--where-enabled', 'false']
      const task = await jsonOf('devices', 'update-many', ...filter, '--enabled', 'true')
      expect(task).to.have.property('state')
      expect(await textOf('devices', 'rm-many', '--label', 'none', '--dry-run', 'true')).to.match(/^id +/)
    })

    it('groups, imports and tasks', async () => {
      const { id } = await jsonOf('groups', 'add', 'Berlin', '--id', 'berlin')
      expect(id).to.equal('berlin')
      await api.device('member-1')
      expect(await textOf('groups', 'put', 'berlin', 'member-1')).to.equal('put member-1\n')
      expect(await listOf('devices', /^NAME +ID +ONLINE/, 'groups', 'devices', 'berlin')).to.have.length(1)
      expect(await jsonOf('groups', 'take', 'berlin', 'member-1')).to.deep.equal({ taken: 'member-1' })
      expect(await jsonOf('groups', 'update', 'berlin', '--name', 'B')).to.include({ name: 'B' })
      expect(await textOf('groups', 'show', 'berlin')).to.match(/^id +berlin\nname +B\n/)
      await listOf('groups', /^ID +NAME +PARENT/, 'groups', 'list')
      expect(await textOf('groups', 'rm', 'berlin')).to.equal('removed berlin\n')

      const file = join(folder.path, 'devices.csv')
      writeFileSync(file, 'name\nimported-1\nimported-2\n')
      const task = await jsonOf('imports', 'add', file)
      expect(await textOf('tasks', 'show', task.id)).to.match(/^id +/)
      await listOf('tasks', /^ID +KIND +STATE/, 'tasks', 'list')
      const result = join(folder.path, 'result.ndjson')
      expect(await textOf('tasks', 'result', task.id, '--output', result)).to.equal('')
      expect(readFileSync(result, 'utf8')).to.be.a('string')
      const cancelled = await cli('tasks', 'cancel', 'nothing')
      expect(cancelled).to.include({ code: 2, stderr: 'cinque: task: Invalid UUID\n' })
      const none = await cli('imports', 'add', join(folder.path, 'none.csv'))
      expect(none.code).to.equal(2)
      expect(none.stderr).to.match(/^cinque: cannot read .*none\.csv: ENOENT/)
    })

    it('provisioning, authorities and certificates', async () => {
      const { id } = await jsonOf('provisioning', 'add', '--max-uses', '10', '--label', 'line 1')
      await listOf('provisioning', /^ID +LABEL +USES/, 'provisioning', 'list')
      expect(await textOf('provisioning', 'rm', id)).to.equal(`removed ${id}\n`)
      const codes = await jsonOf(
        'provisioning',
        'codes',
        '--count',
        '2',
        '--expires-at',
        '2100-01-01T00:00:00Z',
      )
      expect(codes.codes).to.have.length(2)
      const claimed = await jsonOf('provisioning', 'claim', codes.codes[0].code, '--name', 'claimed-1')
      expect(claimed.name).to.equal('claimed-1')
      expect(await textOf('authorities', 'list')).to.equal('no authorities\n')
      expect(await textOf('certificates', 'list')).to.equal('no certificates\n')
      expect((await cli('authorities', 'add', '--certificate', 'x')).code).to.not.equal(0)
    })

    it('telemetry and retention', async () => {
      await api.device('meter-1')
      const file = join(folder.path, 'values.csv')
      writeFileSync(file, 'time,key,value\n2026-11-20T00:00:00Z,temp,1\n2026-11-20T00:01:00Z,temp,2\n')
      expect(await jsonOf('telemetry', 'import', 'meter-1', file)).to.include({ values: 2 })
      const many = join(folder.path, 'many.ndjson')
      writeFileSync(many, '')
      expect(await jsonOf('telemetry', 'import-many', many)).to.include({ values: 0 })
      await listOf(
        'telemetry',
        /^KEY +VALUE +TS\ntemp +2 +2026-11-20T00:01:00/,
        'telemetry',
        'latest',
        'meter-1',
      )
      await listOf(
        'devices',
        /^DEVICE +VALUES\nmeter-1 +temp=2\n$/,
        'telemetry',
        'overview',
        '--devices',
        'meter-1',
      )
      const history = ['telemetry', 'history', 'meter-1']
      expect(await listOf('telemetry', /^TS +KEY +VALUE\n2026-/, ...history)).to.have.length(2)
      const steps = ['--step', '1h', '--from', '2026-11-20T00:00:00Z', '--to', '2026-11-20T01:00:00Z']
      expect(await textOf(...history, ...steps)).to.match(
        /^TS +KEY +MIN +MAX +AVG +COUNT\n.* 1 +2 +1\.5 +2\n$/,
      )
      expect(await textOf('telemetry', 'export', 'meter-1')).to.match(
        /^time,key,value,type\r\n(?:2026-11-20T.*\r\n){2}$/,
      )
      expect(await jsonOf('telemetry', 'erase', 'meter-1')).to.have.property('state')
      expect(await textOf('retention', 'show')).to.match(/^rules +\[\]\n$/)
      await listOf('retention', /^(?:no retention|KEY)/, 'retention', 'device', 'meter-1')
      const wrong = await cli('retention', 'set', '--rules', '{')
      expect(wrong.code).to.equal(2)
      expect(wrong.stderr).to.match(/^cinque: --rules \{: /)
      expect((await jsonOf('retention', 'set', '--rules', '[{"values":"90d"}]')).rules).to.have.length(1)
    })

    it('commands, batches and twins', async () => {
      await api.device('valve-1')
      const sent = await jsonOf('commands', 'send', 'valve-1', 'open', '--params', '{"by":5}', '--ttl', '60')
      expect(sent).to.deep.include({ state: 'queued', params: { by: 5 } })
      await listOf('commands', /^ID +DEVICE +NAME +STATE/, 'commands', 'list')
      await listOf('commands', /^ID +NAME +STATE/, 'commands', 'history', 'valve-1')
      expect(await textOf('commands', 'show', 'valve-1', sent.id)).to.match(/^id +/)
      expect((await jsonOf('commands', 'cancel', 'valve-1', sent.id)).state).to.equal('cancelled')
      const batch = await jsonOf('commands', 'send-many', 'open', '--devices', 'valve-1')
      await listOf('batches', /^ID +NAME +STATE/, 'batches', 'list')
      expect((await jsonOf('batches', 'show', batch.id)).id).to.equal(batch.id)
      await listOf('commands', /^(?:no batches|ID)/, 'batches', 'commands', batch.id)
      expect(await textOf('batches', 'cancel', batch.id)).to.match(/^cancelled +\d\n$/)
      const twin = await jsonOf('twins', 'set', 'valve-1', 'config', '--desired', '{"interval":60}')
      expect(twin.desired).to.deep.equal({ interval: 60 })
      expect(
        (await jsonOf('twins', 'update', 'valve-1', 'config', '--desired', '{"a":1}')).desired,
      ).to.deep.equal({
        interval: 60,
        a: 1,
      })
      expect(await textOf('twins', 'show', 'valve-1', 'config')).to.match(/^name +config\n/)
      expect(await listOf('twins', /^NAME +VERSION/, 'twins', 'list', 'valve-1')).to.have.length(1)
      expect(await textOf('twins', 'rm', 'valve-1', 'config')).to.equal('removed config\n')
    })

    it('presence and clients', async () => {
      await api.device('seen-1')
      expect(await jsonOf('presence', 'show', 'seen-1')).to.include({ connected: false })
      await listOf('presence', /^(?:no presence|DEVICE)/, 'presence', 'list')
      await listOf('presence', /^(?:no presence|AT)/, 'presence', 'history', 'seen-1')
      await listOf('clients', /^ID +CONNECTED +DC.*\nc-1 +yes +dc01/, 'clients', 'list')
      expect(await textOf('clients', 'show', 'c-1')).to.match(/^id +c-1\n/)
      expect(await textOf('clients', 'kick', 'c-1')).to.equal('disconnected c-1\n')
    })

    it('organisations, users, keys, usage and audit', async () => {
      expect(await jsonOf('organisations', 'add', 'acme', '--name', 'Acme')).to.have.property('token')
      await listOf('organisations', /^ID +NAME/, 'organisations', 'list')
      expect((await jsonOf('organisations', 'update', 'acme', '--durability', 'geo')).durability).to.equal(
        'geo',
      )
      expect(await textOf('organisations', 'show', 'acme')).to.match(/^id +acme\n/)
      expect(await jsonOf('organisations', 'rotate', 'acme')).to.have.property('token')
      const user = await member(api, 'grace@example.com', 'viewer')
      await listOf('users', /^EMAIL +NAME +ROLE/, 'users', 'list')
      expect((await jsonOf('users', 'update', user, '--role', 'operator')).role).to.equal('operator')
      expect(await textOf('users', 'show', user)).to.match(/^id +/)
      expect(await textOf('users', 'rm', user)).to.equal(`removed ${user}\n`)
      const { id } = await jsonOf('users', 'invite', 'linus@example.com', '--role', 'viewer')
      await listOf('invitations', /^EMAIL +ROLE/, 'users', 'invitations')
      expect(await textOf('users', 'uninvite', id)).to.equal(`removed ${id}\n`)
      const key = await jsonOf('keys', 'add', 'dashboard', '--role', 'viewer', '--scopes', 'telemetry:read')
      expect(key.scopes).to.deep.equal(['telemetry:read'])
      await listOf('keys', /^NAME +ROLE +SCOPES/, 'keys', 'list')
      expect(await textOf('keys', 'show', key.id)).to.match(/^id +/)
      expect(await textOf('keys', 'rm', key.id)).to.equal(`removed ${key.id}\n`)
      expect(await jsonOf('usage', 'show')).to.have.property('quotas')
      expect((await jsonOf('usage', 'set-quotas', 'acme', '--messages', '100')).limits.messages).to.equal(100)
      expect(await textOf('usage', 'quotas', 'acme')).to.match(/^limits +/)
      expect(await textOf('administrators', 'list')).to.match(/^(?:no administrators|EMAIL)/)
      await listOf('audit', /^AT +ACTOR +OPERATION/, 'audit', 'list', '--limit', '5')
      expect(await textOf('audit', 'export', '--format', 'csv')).to.match(/^id,|^at,/)
      expect(await textOf('organisations', 'rm', 'acme')).to.equal('removed acme\n')
    })

    it('maintenance windows and silences', async () => {
      const until = new Date(noon + 3_600_000).toISOString()
      const window = await jsonOf('maintenance', 'add', 'New disks', '--subjects', 'dc03', '--ends-at', until)
      expect(window).to.deep.include({ title: 'New disks', subjects: ['dc03'], ends_at: until })
      await listOf('windows', /^ID +TITLE +STARTS/, 'maintenance', 'list')
      expect(await textOf('maintenance', 'show', window.id)).to.match(/^id +/)
      expect(
        (await jsonOf('maintenance', 'update', window.id, '--description', 'Nothing is lost.')).description,
      ).to.equal('Nothing is lost.')
      expect(await textOf('maintenance', 'end', window.id)).to.equal(`ended ${window.id}\n`)
      const { id } = await jsonOf('silence', 'add', 'known', '--alerts', 'HostDown', '--ends-at', until)
      expect(await listOf('silences', /^ID +REASON +ALERTS/, 'silence', 'list')).to.have.length(1)
      expect(await textOf('silence', 'show', id)).to.match(/^id +/)
      expect((await jsonOf('silence', 'update', id, '--reason', 'still')).reason).to.equal('still')
      expect(await textOf('silence', 'end', id)).to.equal(`ended ${id}\n`)
    })

    it('says in one line what was refused, and exits with 2 for what was asked for wrongly', async () => {
      const missing = await cli('devices', 'show', 'nobody')
      expect(missing).to.include({ code: 1, stdout: '', stderr: 'cinque: no device "nobody"\n' })
      const time = await cli('telemetry', 'history', 'nobody', '--from', 'yesterday')
      expect(time.code).to.equal(2)
      expect(time.stderr).to.match(/^cinque: from: must be .*\n$/)
      const choice = await cli('devices', 'list', '--online', 'perhaps')
      expect(choice.code).to.equal(2)
      expect(choice.stderr).to.match(/^cinque: option '--online <text>' argument 'perhaps' is invalid/)
      const path = await cli('devices', 'rm', '..')
      expect(path).to.include({ code: 2, stderr: 'cinque: device: ".." is no id or name\n' })
      const wrong = await runHere('devices', 'list', '--url', api.url, '--token', 'wrong')
      expect(wrong.code).to.equal(1)
      expect(wrong.stderr).to.match(/^cinque: the token or key is unknown.*\n {2}.*cinque login/)
      const json = JSON.parse((await cli('devices', 'show', 'nobody', '--json')).stderr)
      expect(json.error).to.include({ code: 'device_not_found', status: 404 })
      expect(json.error.request_id).to.be.a('string')
      const gone = await runHere('devices', 'list', '--url', 'http://127.0.0.1:2', '--token', 't')
      expect(gone.code).to.equal(1)
      expect(gone.stderr).to.match(/^cinque: cannot reach http:\/\/127\.0\.0\.1:2: nothing listens there\n/)
    })

    it('ends quietly when whoever reads it has seen enough', async () => {
      await api.device('many-1')
      const file = join(folder.path, 'much.ndjson')
      const rows = Array.from({ length: 20_000 }, (_, i) => `{"ts":${noon + i},"key":"n","value":${i}}\n`)
      writeFileSync(file, rows.join(''))
      expect(await jsonOf('telemetry', 'import', 'many-1', file)).to.include({ values: 20_000 })
      for (const verb of ['export', 'history']) {
        const words = `telemetry ${verb} many-1 --url ${api.url} --token ${adminToken}`
        const shell = new Child(
          'sh',
          ['-c', `("$0" "$1" ${words}; echo "code $?" >&2) | head -n 1`, process.execPath, entry],
          {
            env: cleanEnv(),
          },
        )
        const { stdout, stderr } = await shell.end()
        expect(stdout, verb).to.match(/^(?:time,key|TS +KEY)[^\n]*\n$/)
        expect(stderr, verb).to.equal('code 0\n')
      }
    })

    it('live: shows what happens, and ends with Ctrl-C', async () => {
      const { key } = await api.device('live-1')
      const words = ['live', 'tail', '--device', 'live-1', '--types', 'telemetry', '--json']
      const tail = cinque([...words, '--url', api.url, '--token', adminToken])
      const options = { body: { n: 1 }, authorization: `Device ${key}` }
      const again = setInterval(() => void api.ask('POST', '/v1/ingest', options), 50)
      try {
        const [line] = await tail.said(/^\{.*\n/)
        expect(JSON.parse(line)).to.have.property('event', 'telemetry')
      } finally {
        clearInterval(again)
      }
      expect((await tail.end('SIGINT')).code).to.equal(0)
      const refused = await cli('live', 'messages', 'a/#/b')
      expect(refused.code).to.equal(2)
      expect(refused.stderr).to.match(/^cinque: .*\n$/)
      expect((await cli('clients', 'trace', 'c-1', '--organisation', 'none')).code).to.equal(1)
    })

    describe('with contexts', () => {
      const before = { ...process.env }
      beforeEach(() => {
        for (const name of Object.keys(process.env)) if (!(name in cleanEnv())) delete process.env[name]
        process.env.XDG_CONFIG_HOME = join(folder.path, 'config')
      })
      afterEach(() => {
        Object.assign(process.env, before)
        if (before.XDG_CONFIG_HOME === undefined) delete process.env.XDG_CONFIG_HOME
      })
      const file = (): string => join(folder.path, 'config', 'cinque', 'contexts.json')

      it('knows platforms by their names, readable by their owner alone', async () => {
        const added = await runHere('context', 'add', 'here', '--url', api.url, '--token', adminToken)
        expect(added).to.include({ code: 0, stdout: 'added here; use it: cinque context use here\n' })
        expect(statSync(file()).mode & 0o777).to.equal(0o600)
        expect((await runHere('devices', 'list', '--context', 'here')).code).to.equal(0)
        const unknown = await runHere('devices', 'list', '--context', 'her')
        expect(unknown.code).to.equal(2)
        expect(unknown.stderr).to.match(/^cinque: there is no context "her"; did you mean here\?\n/)
        expect((await runHere('context', 'use', 'here')).stdout).to.equal('using here\n')
        expect((await runHere('devices', 'list')).code).to.equal(0)
        const { stdout } = await runHere('context', 'list')
        expect(stdout).to.match(
          /^NAME +CURRENT +URLS +AS +ORGANISATION\ndev +no .*\nhere +yes +http\S+ +token/,
        )
        expect(stdout).to.not.include(adminToken)
        expect((await runHere('context', 'use', 'dev')).code).to.equal(0)
        expect((await runHere('context', 'rm', 'here')).stdout).to.equal('removed here\n')
        expect((await runHere('context', 'add', 'dev', '--url', api.url)).code).to.equal(2)
      })

      it('signs in with a password from the standard input', async () => {
        await member(api, 'barbara@example.com', 'admin')
        const login = async (secret: string): Promise<Finished> => {
          const words = ['login', '--url', api.url, '--context', 'b', '--email', 'barbara@example.com']
          const env = cleanEnv({ XDG_CONFIG_HOME: process.env.XDG_CONFIG_HOME ?? '' })
          const child = new Child(process.execPath, [entry, ...words, '--password-stdin'], {
            env,
            stdio: ['pipe', 'pipe', 'pipe'],
          })
          child.process.stdin?.end(`${secret}\n`)
          return child.end()
        }
        const wrong = await login('wrong')
        expect(wrong.code).to.equal(1)
        expect(wrong.stderr).to.equal('cinque: the e-mail address or the password is wrong\n')
        expect(await login(password)).to.include({
          code: 0,
          stdout: 'signed in as barbara@example.com; using context b\n',
        })
        expect(JSON.parse((await runHere('me', 'show', '--json')).stdout).email).to.equal(
          'barbara@example.com',
        )
        expect((await runHere('me', 'update', '--name', 'Barbara', '--json')).code).to.equal(0)
        expect((await runHere('me', 'export')).stdout).to.match(/^id +/)
        const agents = JSON.parse((await runHere('sessions', 'list', '--json')).stdout)
        expect(agents.sessions[0].agent).to.match(/^cinque\//)
        const secret = JSON.stringify({ current_password: password, password: `${password}!` })
        expect((await runHere('me', 'password', '--body', secret)).stdout).to.equal('changed\n')
        expect((await runHere('sessions', 'rm', 'current')).stdout).to.equal('removed current\n')
      })

      it('signs in and out; makes tokens new, and says when a session has ended', async () => {
        await member(api, 'ada@example.com', 'admin')
        const signedIn = await api.ask('POST', '/v1/sessions', {
          authorization: null,
          body: { email: 'ada@example.com', password },
        })
        const { session: id, access_token: access, refresh_token: refresh } = signedIn.body
        const config = new ContextFile()
        await config.change((contexts) => {
          const session = { email: 'ada@example.com', id, access, refresh, expires_at: 0 }
          contexts.contexts.cell = { urls: [api.url], session }
          contexts.current = 'cell'
        })
        // Both find it too old at the same time; a refresh token used twice would end the session.
        const env = cleanEnv({ XDG_CONFIG_HOME: process.env.XDG_CONFIG_HOME ?? '' })
        const both = [
          ['me', 'show'],
          ['sessions', 'list'],
        ].map((words) => cinque(words, { env }).end())
        const [me, list] = await Promise.all(both)
        expect([me.code, list.code], me.stderr + list.stderr).to.deep.equal([0, 0])
        expect(config.find('cell')?.session?.refresh).to.not.equal(refresh)
        expect((await runHere('logout')).stdout).to.equal('logged out of cell\n')
        expect(config.find('cell')).to.not.have.any.keys('session', 'token')
        expect(readFileSync(file(), 'utf8')).to.not.include(access)
        const out = await runHere('me', 'show')
        expect(out.code).to.equal(1)
        expect(out.stderr).to.match(
          /^cinque: you are logged out of context "cell"\n {2}Log in again: cinque login/,
        )
      })
    })
  })
})
