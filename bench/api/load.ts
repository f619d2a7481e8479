import { connect, type Socket } from 'node:net'

export interface Load {
  readonly requests: number
  readonly seconds: number
  /** Milliseconds from when a request was due to the end of its answer, sorted. */
  readonly latencies: readonly number[]
}

/**
 * Sends the same request over `connections` kept alive: as fast as answers come, or at `rate` requests a second, when a
 * request's time counts from when it was due. Rejects if an answer is not 200.
 */
export async function load(
  url: string,
  options: { path: string; token: string; connections: number; seconds: number; rate?: number },
): Promise<Load> {
  const { path, token, connections, seconds, rate } = options
  const { hostname, port, host } = new URL(url)
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`
  const latencies: number[] = []
  const began = performance.now()
  const end = began + seconds * 1000
  const sockets = Array.from({ length: connections }, () => connect(Number(port), hostname))
  await Promise.all(
    sockets.map((socket, i) => {
      const every = rate === undefined ? 0 : (connections * 1000) / rate
      return drive(socket, request, { first: began + (every * i) / connections, every, end }, latencies)
    }),
  )
  const took = (performance.now() - began) / 1000
  for (const socket of sockets) socket.destroy()
  return { requests: latencies.length, seconds: took, latencies: latencies.toSorted((a, b) => a - b) }
}

/** One connection: one request at a time. `every` 0: the next one at once. */
function drive(
  socket: Socket,
  request: string,
  { first, every, end }: { first: number; every: number; end: number },
  latencies: number[],
): Promise<void> {
  socket.setNoDelay(true)
  return new Promise((done, failed) => {
    let due = first
    let waiting = 0
    let head: Buffer = Buffer.alloc(0)
    const next = (): void => {
      const now = performance.now()
      if (now >= end) return done()
      if (every > 0 && due > now) return void setTimeout(next, due - now)
      if (every === 0) due = now
      socket.write(request)
    }
    const answered = (): void => {
      const now = performance.now()
      if (now < end) latencies.push(now - due)
      if (every > 0) due += every
      next()
    }
    socket.on('error', failed)
    socket.on('close', () => failed(new Error('the connection was closed')))
    socket.on('connect', next)
    socket.on('data', (chunk: Buffer) => {
      if (waiting > 0) {
        waiting -= chunk.length
        if (waiting === 0) answered()
        return
      }
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      const body = head.indexOf('\r\n\r\n')
      if (body === -1) return
      const text = head.toString('latin1', 0, body)
      const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
      if (!text.startsWith('HTTP/1.1 200') || length === undefined) return failed(new Error(text))
      waiting = Number(length) - (head.length - body - 4)
      head = Buffer.alloc(0)
      if (waiting === 0) answered()
    })
  })
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
