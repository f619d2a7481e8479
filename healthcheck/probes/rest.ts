import type { Agent, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { http } from '../http.ts'
import type { Access } from './access.ts'
import { connect } from './connect.ts'
import { plainError, RefusedError } from './errors.ts'
import { renewMs } from './mqtt-sessions.ts'
import { answerMs, silence } from './patience.ts'
import type { Target } from './probe.ts'

/** Connections to one host at a time; its probes seldom meet. */
const maxSockets = 4
/** Largest answer that is read: a page of metrics. */
const maxBytes = 4_194_304

interface Ask {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Whole Authorization header; absent: none. */
  readonly authorization?: string
  /** More of them, in small letters. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface RestAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

/** A connection that was kept broke before an answer began. */
class StaleConnection extends Error {}

interface Held {
  readonly agent: Agent
  readonly since: number
}

/**
 * The checker as a user of the REST API: by the address of a host, under the name of the service. Connections are kept
 * for 30 seconds; those that end by themselves are told to `lost`.
 */
export class Rest {
  readonly #access: Access
  readonly #lost: (host: string) => void
  readonly #held = new Map<string, Held>()
  readonly #stop = new AbortController()

  constructor(access: Access, lost: (host: string) => void) {
    this.#access = access
    this.#lost = lost
  }

  /** As a user with the checker's API key. Rejects unless the answer is 2xx. */
  asUser(target: Target, path: string, signal: AbortSignal): Promise<unknown> {
    const authorization = `Bearer ${this.#access.apiKey}`
    return this.#json(target, { method: 'GET', path, authorization }, signal)
  }

  /** As the checker's device. Rejects unless the answer is 2xx. */
  asDevice(target: Target, path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const authorization = `Device ${this.#access.device.key}`
    return this.#json(target, { method: 'POST', path, authorization, body }, signal)
  }

  /** The answer, whatever its status. */
  async ask(target: Target, asked: Ask, signal: AbortSignal): Promise<RestAnswer> {
    try {
      return await this.#ask(target, asked, signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      // A server may close an idle connection just when it is used again (RFC 9112, 9.3.1): not its fault.
      if (!(error instanceof StaleConnection)) throw plainError(error, target.host.address)
      this.#renew(target)
    }
    return this.#ask(target, asked, signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : plainError(error, target.host.address)
    })
  }

  close(): void {
    this.#stop.abort(new Error('stopped'))
    for (const { agent } of this.#held.values()) agent.destroy()
    this.#held.clear()
  }

  #ask(
    target: Target,
    { method, path, authorization, headers, body }: Ask,
    signal: AbortSignal,
  ): Promise<RestAnswer> {
    const content = body === undefined ? undefined : JSON.stringify(body)
    const agent = this.#agent(target)
    return new Promise((resolve, reject) => {
      const sent = http.request(
        {
          agent,
          method,
          path,
          setHost: false,
          headers: {
            host: this.#access.serviceName,
            accept: 'application/json, text/plain',
            'user-agent': 'cinque-healthcheck',
            ...headers,
            ...(authorization === undefined ? {} : { authorization }),
            ...(content === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
          },
          signal,
        },
        (response) => void read(response).then(resolve, reject),
      )
      let silent: Error | undefined
      sent.once('socket', () => {
        const begun = performance.now()
        const limit = setTimeout(() => {
          silent = silence(begun, answerMs, `${method} ${path.split('?')[0]} is not answered`)
          sent.destroy(silent)
        }, answerMs)
        sent.once('close', () => clearTimeout(limit))
      })
      sent.on('error', (error) => {
        const stale = silent === undefined && sent.reusedSocket
        reject(stale ? new StaleConnection(error.message, { cause: error }) : error)
      })
      sent.end(content)
    })
  }

  async #json(target: Target, asked: Ask, signal: AbortSignal): Promise<unknown> {
    const { status, text } = await this.ask(target, asked, signal)
    const body = parsed(text)
    if (status >= 200 && status < 300) return body
    const { code, detail } = (body ?? {}) as { code?: unknown; detail?: unknown }
    const why = [code, detail].filter((one) => typeof one === 'string').join(': ')
    const line = `${asked.method} ${asked.path.split('?')[0]}: ${status}${why === '' ? '' : ` ${why}`}`
    throw status === 401 || status === 403 ? new RefusedError(line) : new Error(line)
  }

  /** One whose connections are not older than 30 seconds. */
  #agent(target: Target): Agent {
    const { name } = target.host
    const held = this.#held.get(name)
    return held !== undefined && performance.now() - held.since < renewMs ? held.agent : this.#renew(target)
  }

  #renew(target: Target): Agent {
    const { name } = target.host
    const old = this.#held.get(name)
    const agent = this.#newAgent(target)
    this.#held.set(name, { agent, since: performance.now() })
    if (old !== undefined) retire(old.agent)
    return agent
  }

  #newAgent({ host }: Target): Agent {
    const { inventory, tls } = this.#access
    const port = tls ? inventory.ports.https : inventory.ports.http
    const agent = new http.Agent({ keepAlive: true, maxSockets, maxFreeSockets: maxSockets })
    agent.createConnection = (_options, opened) => {
      connect(this.#access, { address: host.address, port, tls }, this.#stop.signal).then(
        (socket) => {
          socket.once('close', () => {
            const current = this.#held.get(host.name)?.agent === agent
            if (current && !this.#stop.signal.aborted) this.#lost(host.name)
          })
          opened?.(null, socket)
        },
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- there is none with an error
        (error: unknown) => opened?.(error as Error, undefined as unknown as Duplex),
      )
      return undefined
    }
    return agent
  }
}

/** Requests under way go on; no connection is used again. */
function retire(agent: Agent): void {
  agent.maxFreeSockets = 0
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
}

async function read(response: IncomingMessage): Promise<RestAnswer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  const { statusCode = 0, headers } = response
  return { status: statusCode, headers, text: Buffer.concat(chunks).toString('utf8') }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
