import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { Accept, ConnectionInfo, Listener } from '#broker/listeners/transport.ts'
import { type ListenerOptions, openListener } from '#broker/listeners/index.ts'
import { Metrics } from '#platform/metrics.ts'
import { collectLog } from '../log-lines.ts'

export interface Accepted {
  readonly stream: Duplex
  readonly info: ConnectionInfo
  readonly head: Buffer | null
}

/** A listener whose accepted streams the test holds instead of a broker. */
export class Harness {
  readonly metrics = new Metrics()
  readonly #log = collectLog()
  readonly log = this.#log.log
  readonly lines = this.#log.lines
  readonly accepted: Accepted[] = []
  listener: Listener | null = null
  readonly #waiting: ((accepted: Accepted) => void)[] = []
  readonly #clients: Duplex[] = []
  readonly #proxies: net.Server[] = []

  async open(url: string, options: Partial<ListenerOptions> = {}): Promise<Listener> {
    this.listener = await openListener(url, {
      log: this.log,
      metrics: this.metrics,
      connectTimeout: 5,
      accept: this.collect(),
      ...options,
    })
    return this.listener
  }

  /** Holds what a listener accepts. */
  collect(): Accept {
    return (stream, info, head) => {
      stream.on('error', () => {})
      const accepted = { stream, info, head }
      this.accepted.push(accepted)
      this.#waiting.shift()?.(accepted)
    }
  }

  get port(): number {
    return Number(new URL((this.listener?.url ?? '').replace(/^\w+:/, 'mqtt:')).port)
  }

  /** The next connection that reaches the broker. */
  next(): Promise<Accepted> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async dial(port = this.port): Promise<net.Socket> {
    const socket = net.connect({ host: '127.0.0.1', port })
    this.keep(socket)
    await once(socket, 'connect')
    return socket
  }

  /** The port of a proxy in front of the listener; `together`: the header leaves with the client's first bytes. */
  async proxy(header: string | Buffer, together: boolean, port = this.port): Promise<number> {
    const proxy = net.createServer((client) => {
      const upstream = this.keep(net.connect({ host: '127.0.0.1', port, noDelay: true }))
      this.keep(client)
      if (!together) upstream.write(header)
      client.once('data', (first: Buffer) => {
        upstream.write(together ? Buffer.concat([Buffer.from(header), first]) : first)
        client.pipe(upstream)
      })
      upstream.pipe(client)
      upstream.on('close', () => client.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    this.#proxies.push(proxy)
    return portOf(proxy)
  }

  /** Closes `stream` with the test. */
  keep<T extends Duplex>(stream: T): T {
    stream.on('error', () => {})
    this.#clients.push(stream)
    return stream
  }

  refused(reason: string): number {
    const line = new RegExp(`cinque_connections_refused_total\\{reason="${reason}"\\} (\\d+)`).exec(
      this.metrics.render(),
    )
    return Number(line?.[1] ?? 0)
  }

  async close(): Promise<void> {
    for (const proxy of this.#proxies) proxy.close()
    for (const client of this.#clients) client.destroy()
    for (const { stream } of this.accepted) stream.destroy()
    await this.listener?.close()
  }
}

export function portOf(server: net.Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** What comes until it is `length` bytes or more. */
export async function read(stream: Duplex, length: number): Promise<Buffer> {
  let got = Buffer.alloc(0)
  return await new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      got = Buffer.concat([got, chunk])
      if (got.length < length) return
      stream.removeListener('data', onData)
      resolve(got)
    }
    stream.on('data', onData)
    stream.once('close', () => reject(new Error(`closed after ${got.length} of ${length} bytes`)))
  })
}

/** Unlike `once`, an error on the way is as good. */
export async function closed(stream: Duplex): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
}
