import { connect } from 'node:net'
import { expect } from 'chai'
import type { ApiDeps } from '#api/deps.ts'
import type { Route } from '#api/route.ts'
import { startApi } from '#api/server.ts'
import { createLogger } from '#platform/log.ts'
import { openTestPlatform, type TestPlatform } from '../platform/telemetry/fixture.ts'

export const adminToken = 't_admin-for-the-tests'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the API answered; the tests look into it
  readonly body: any
}

export interface TestApi {
  readonly url: string
  readonly platform: TestPlatform
  /** A request with the admin token, or with `authorization`. A body that is no string is sent as JSON. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>
  /** Creates a device and returns it with its key. */
  device(name: string, organisation?: string): Promise<{ id: string; name: string; key: string }>
  close(): Promise<void>
}

export interface AskOptions {
  readonly body?: unknown
  /** Whole header; null: none. */
  readonly authorization?: string | null
  readonly headers?: Record<string, string>
}

/** `resources`: routes that a test brings, instead of all. */
export async function startTestApi(
  options: Partial<ApiDeps> = {},
  resources?: readonly Route[],
): Promise<TestApi> {
  const platform = await openTestPlatform()
  const { metrics, clock } = platform
  const log = createLogger({ level: 'silent' })
  const api = await startApi(
    { platform, log, metrics, clock, adminToken, version: '1.2.3', checkAnswers: true, ...options },
    { host: '127.0.0.1', port: 0 },
    resources,
  )
  async function ask(
    method: string,
    path: string,
    { body, authorization, headers }: AskOptions = {},
  ): Promise<Answer> {
    const all = new Headers(headers)
    if (authorization !== null) all.set('authorization', authorization ?? `Bearer ${adminToken}`)
    const raw = body instanceof Uint8Array || typeof body === 'string'
    if (body !== undefined && !raw && !all.has('content-type')) all.set('content-type', 'application/json')
    const content = body === undefined ? {} : { body: raw ? Buffer.from(body) : JSON.stringify(body) }
    const response = await fetch(api.url + path, { method, headers: all, ...content })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, body: parsed(text) }
  }
  return {
    url: api.url,
    platform,
    ask,
    device: async (name, organisation = 'default') => {
      const created = await ask('POST', `/v1/devices?organisation=${organisation}`, { body: { name } })
      return created.body
    },
    close: async () => {
      await api.close(1000)
      await platform.close()
    },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Writes bytes to the server and returns all that it answers until it closes the connection. */
export function rawRequest(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (answer += chunk))
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}

/** The answer is a problem document (RFC 9457) with this code. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.body?.code], answer.text).to.deep.equal([status, code])
  expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/)
  expect(answer.body).to.include({ type: `/v1/errors#${code}`, status })
  expect(answer.body.request_id).to.equal(answer.headers.get('x-request-id'))
}
