import { Agent, request } from 'node:http'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { openApiDocument } from '#api/app.ts'
import { problems } from '#api/problems.ts'
import { startTestApi, type TestApi } from './fixture.ts'
import { type HostileRequest, type Operation, requestsTo } from './hostile/requests.ts'

/** In what the other organisation has; whoever sees it sees too much. */
const marker = 'victim-0b5c'
/** Requests to each operation. Another seed: HOSTILE_SEED, more: HOSTILE_RUNS. */
const runs = Number(process.env.HOSTILE_RUNS ?? 120)
const seed = Number(process.env.HOSTILE_SEED ?? 5)

/** Answers of the server before it knows the operation. */
const anywhere = new Set(['not_found', 'method_not_allowed', 'invalid_request'])

const document = JSON.parse(JSON.stringify(openApiDocument('1.2.3'))) as {
  paths: Record<
    string,
    Record<
      string,
      {
        parameters?: Operation['parameters']
        requestBody?: { content: Record<string, { schema?: unknown }> }
        responses: Record<string, { description: string; content?: Record<string, unknown> }>
      }
    >
  >
  components: { schemas: Record<string, unknown> }
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]): Operation => {
    const errors = Object.entries(responses).filter(([status]) => Number(status) >= 400)
    return {
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
      codes: new Set(errors.flatMap(([, { description }]) => description.split(', '))),
      stream: Object.values(responses).some(({ content = {} }) => 'text/event-stream' in content),
    }
  }),
)

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

describe('REST: hostile requests', () => {
  let api: TestApi
  /** Values of the Authorization header; null: none. */
  let callers: (string | null)[]
  /** Answers by the first digit of their status. */
  const counts: Record<string, number> = {}
  /** What the other organisation was before. */
  let untouched: unknown
  /** Ids and names of both organisations. */
  let names: string[]
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })

  before(async () => {
    api = await startTestApi({ rates: generous, heartbeat: 50 })
    const victim = await furnish(api, 'victim-org', 'theirs', marker)
    const own = await furnish(api, 'own-org', 'own', 'own')
    const token = `Bearer ${own.token}`
    const apiKey = async (body: object): Promise<string> => {
      const {
        status,
        text,
        body: made,
      } = await api.ask('POST', '/v1/api-keys', { authorization: token, body })
      expect(status, text).to.equal(201)
      return `Bearer ${made.key}`
    }
    const expires = new Date(api.platform.clock.now() + 1000).toISOString()
    const revoked = await api.ask('POST', '/v1/api-keys', {
      authorization: token,
      body: { name: 'revoked', role: 'admin' },
    })
    callers = [
      null,
      token,
      token,
      `Device ${own.key}`,
      await apiKey({ name: 'viewer', role: 'viewer' }),
      await apiKey({ name: 'narrow', role: 'admin', scopes: ['devices:read'] }),
      await apiKey({ name: 'expired', role: 'admin', expires_at: expires }),
      `Bearer ${revoked.body.key}`,
      'Bearer ',
      'Basic YTpi',
      `Bearer ${'x'.repeat(256)}`,
    ]
    await api.ask('DELETE', `/v1/api-keys/${revoked.body.id}`, { authorization: token })
    api.platform.clock.time += 2000
    names = [...victim.names, ...own.names, 'me']
    untouched = await snapshot(api, 'victim-org')
  })
  after(async () => {
    agent.destroy()
    await api.close()
  })

  for (const operation of operations) {
    const { method, path } = operation
    it(`${method} ${path}: never fails, and shows nothing of another organisation`, async function () {
      this.timeout(60_000)
      const requests = fc.tuple(
        requestsTo(operation, document.components.schemas, names),
        fc.constantFrom(...callers),
      )
      await fc.assert(
        fc.asyncProperty(requests, async ([one, authorization]) => {
          const answer = await send(api.url, agent, one, authorization, operation.stream)
          counts[Math.floor(answer.status / 100)] = (counts[Math.floor(answer.status / 100)] ?? 0) + 1
          const said = `${answer.status} ${answer.text.slice(0, 500)}`
          expect(answer.status, said).to.be.below(500)
          expect(answer.text, 'shows what belongs to another organisation').to.not.include(marker)
          if (answer.status < 400) return
          expect(answer.type, said).to.match(/^application\/problem\+json/)
          const { code, status } = JSON.parse(answer.text) as { code: keyof typeof problems; status: number }
          expect(problems, said).to.include.keys(code)
          expect([problems[code][0], status], said).to.deep.equal([answer.status, answer.status])
          if (one.astray || anywhere.has(code)) return
          expect(
            Array.from(operation.codes),
            `not in the list of problems of ${method} ${path}: ${said}`,
          ).to.include(code)
        }),
        { numRuns: runs, seed, endOnFailure: true },
      )
    })
  }

  it('came past the first gates: some were answered', () => {
    expect(counts[2]).to.be.above(operations.length)
  })

  it('have changed nothing of the other organisation', async () => {
    expect(await snapshot(api, 'victim-org')).to.deep.equal(untouched)
  })
})

const generous = { organisation_rate: 0, caller_rate: 0, device_rate: 0, address_rate: 0, failure_rate: 0 }

/** An organisation with something of everything. Things are called `name-...`, which may be guessed; `word` is in what they hold. */
async function furnish(api: TestApi, id: string, name: string, word: string) {
  const created = await api.ask('POST', '/v1/organisations', { body: { id, name: `${word} ltd` } })
  expect(created.status, created.text).to.equal(201)
  const authorization = `Bearer ${created.body.token}`
  const make = async (path: string, body: object, method = 'POST') => {
    const answer = await api.ask(method, path, { body, authorization })
    expect(answer.status, `${path} ${answer.text}`).to.be.oneOf([200, 201, 202])
    return answer.body
  }
  const device = await make('/v1/devices', { name: `${name}-device`, labels: { place: word } })
  const group = await make('/v1/groups', { name: `${name}-group` })
  const node = await make(`/v1/devices/${device.id}/nodes`, { id: `${name}-node` })
  const key = await make('/v1/api-keys', { name: `${name}-key`, role: 'viewer' })
  const command = await make(`/v1/devices/${device.id}/commands`, { name: 'blink', params: { text: word } })
  await api.ask('POST', '/v1/ingest', {
    body: { [`${word}-temp`]: 20, text: word },
    authorization: `Device ${device.key}`,
  })
  const ids = [device.id, device.name, group.id, node.id, key.id, command.id]
  return {
    token: String(created.body.token),
    key: String(device.key),
    names: ids.filter((one): one is string => typeof one === 'string'),
  }
}

/** What the platform itself sees of an organisation. */
async function snapshot(api: TestApi, organisation: string): Promise<unknown> {
  const paths = ['devices', 'groups', 'api-keys', 'commands', 'usage'].map(
    (one) => `/v1/${one}?organisation=${organisation}`,
  )
  const all = [
    `/v1/organisations/${organisation}`,
    `/v1/devices/theirs-device/latest?organisation=${organisation}`,
    ...paths,
  ]
  const answers = await Promise.all(all.map((path) => api.ask('GET', path)))
  return answers.map(({ status, body }, i) => [all[i], status, body])
}

/** A request as its bytes are, without a client that makes it better; a live stream is left at its first bytes. */
function send(
  url: string,
  agent: Agent,
  { method, target, headers, body }: HostileRequest,
  authorization: string | null,
  stream: boolean,
): Promise<Answer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const all = {
      ...headers,
      ...(authorization === null ? {} : { authorization }),
      ...(body === null ? {} : { 'content-length': String(body.length) }),
    }
    const sent = request(
      { hostname, port, method, path: target, headers: all, agent, timeout: 30_000 },
      (response) => {
        const { statusCode: status = 0 } = response
        const type = response.headers['content-type'] ?? ''
        let text = ''
        const done = (): void => resolve({ status, type, text })
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          if (stream && status === 200) {
            done()
            response.destroy()
          }
        })
        response.on('end', done)
        response.on('error', done)
      },
    )
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${target}`)))
    sent.on('error', reject)
    sent.end(body)
  })
}
