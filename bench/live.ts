/**
 * Live streams on one node: opens many, and measures what they cost and how many events they get. The server is a
 * process of its own, with a store in memory; what is measured is the way from an event that is durable to the socket.
 *
 *     npm run bench:live -- --streams 5000 --seconds 10
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createHistogram } from 'node:perf_hooks'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startApi } from '#api/server.ts'
import { systemClock } from '#platform/clock.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { MemoryStore } from '#platform/store/memory.ts'

const adminToken = 't_bench-of-live-streams'
const devices = 1000
/** Connections that are opened at a time. */
const batch = 100

type Order =
  | { readonly do: 'publish'; readonly perSecond: number; readonly seconds: number }
  | { readonly do: 'report' }
interface Report {
  readonly rss: number
  readonly heap: number
  /** Microseconds of processor time. */
  readonly cpu: number
  readonly reads: number
}

if (process.send === undefined) await measure()
else await serve(process.send.bind(process))

// --- the server -------------------------------------------------------------------------------------------

async function serve(send: (message: unknown) => void): Promise<void> {
  const log = createLogger({ level: 'silent' })
  const metrics = new Metrics()
  const store = new MemoryStore({})
  let reads = 0
  for (const verb of ['get', 'range', 'scan'] as const) {
    const read = store[verb].bind(store) as (...all: unknown[]) => unknown
    Object.assign(store, {
      [verb]: (...all: unknown[]) => {
        reads++
        return read(...all)
      },
    })
  }
  const platform = await openPlatform({ store, log, metrics, clock: systemClock })
  const refs = Array.from({ length: devices }, (_, i) => ({ org: 'default', id: `d${i}`, name: `d${i}` }))
  for (const { id } of refs) await platform.registry.devices.create('default', { name: id, id })
  const api = await startApi(
    { platform, log, metrics, clock: systemClock, adminToken, version: 'bench' },
    { host: '127.0.0.1', port: 0 },
  )
  let n = 0
  process.on('message', (order: Order) => {
    if (order.do === 'report') {
      ;(globalThis as { gc?: () => void }).gc?.()
      const { rss, heapUsed } = process.memoryUsage()
      const { user, system } = process.cpuUsage()
      send({ rss, heap: heapUsed, cpu: user + system, reads } satisfies Report)
      return
    }
    // Every 10 ms as many as are due.
    const began = performance.now()
    let published = 0
    const timer = setInterval(() => {
      const elapsed = Math.min((performance.now() - began) / 1000, order.seconds)
      for (; published < elapsed * order.perSecond; published++)
        platform.telemetry.ingestJson(refs[n++ % devices], payload, Date.now())
      if (elapsed >= order.seconds) {
        clearInterval(timer)
        send({ published })
      }
    }, 10)
  })
  send({ url: api.url })
}

// --- the clients ------------------------------------------------------------------------------------------

const payload = Buffer.from('{"temperature":21.5,"humidity":47}')

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      streams: { type: 'string', default: '5000' },
      seconds: { type: 'string', default: '10' },
    },
  })
  const streams = Number(values.streams)
  const seconds = Number(values.seconds)
  const server = fork(fileURLToPath(import.meta.url), [], { execArgv: ['--expose-gc'] })
  const { url } = (await answer(server)) as { url: string }
  // Of each device once: what a writer learns about it is no cost of streams.
  server.send({ do: 'publish', perSecond: devices, seconds: 1 } satisfies Order)
  await answer(server)
  const line = (what: string, value: string): void =>
    void process.stdout.write(`${what.padEnd(44)}${value}\n`)

  for (const scenario of ['one device each', 'the whole organisation each'] as const) {
    const latency = createHistogram({ highest: 60_000 })
    const before = await report(server)
    const counts = { events: 0, bytes: 0, missed: 0 }
    const opening = performance.now()
    const sockets: Socket[] = []
    for (let i = 0; i < streams; i += batch) {
      const opened = Array.from({ length: Math.min(batch, streams - i) }, (_, k) =>
        open(url, scenario === 'one device each' ? `?device=d${(i + k) % devices}` : '', (text) =>
          count(text, counts, latency),
        ),
      )
      sockets.push(...(await Promise.all(opened)))
    }
    line(
      `${scenario}: streams`,
      `${sockets.length} in ${((performance.now() - opening) / 1000).toFixed(1)} s`,
    )
    const idle = await report(server)
    line('  memory of a stream', `${((idle.rss - before.rss) / streams / 1024).toFixed(1)} KB`)
    const perSecond = scenario === 'one device each' ? 4000 : 10
    const from = performance.now()
    const cpu = (await report(server)).cpu
    const { reads } = await report(server)
    server.send({ do: 'publish', perSecond, seconds } satisfies Order)
    const { published } = (await answer(server)) as { published: number }
    const expected = scenario === 'one device each' ? (published * streams) / devices : published * streams
    const deadline = performance.now() + 30_000
    while (counts.events + counts.missed < expected && performance.now() < deadline)
      await new Promise((soon) => setTimeout(soon, 20))
    const took = (performance.now() - from) / 1000
    const busy = await report(server)
    line('  events published', `${published}, ${(published / seconds).toFixed(0)}/s`)
    line(
      '  events to streams',
      `${counts.events} of ${expected}, ${(counts.events / took).toFixed(0)}/s, ${counts.missed} missed`,
    )
    line(
      '  from taken to received, p50 / p99 / worst',
      `${latency.percentile(50)} / ${latency.percentile(99)} / ${latency.max} ms`,
    )
    line('  processor of the server', `${((busy.cpu - cpu) / 1e4 / took).toFixed(0)} % of one core`)
    line('  reads of the store', `${busy.reads - reads}`)
    line('  memory of the server, before and after', `${mb(before.rss)} and ${mb(busy.rss)}`)
    for (const socket of sockets) socket.destroy()
    await new Promise((soon) => setTimeout(soon, 500))
  }
  server.kill()
}

function count(
  text: string,
  counts: { events: number; missed: number },
  latency: { record(ms: number): void },
): void {
  const now = Date.now()
  for (let at = text.indexOf('event: '); at >= 0; at = text.indexOf('event: ', at + 7)) {
    if (text.startsWith('event: telemetry', at)) {
      counts.events++
      const when = /"at":(\d+)/.exec(text.slice(at, at + 160))?.[1]
      if (when !== undefined) latency.record(Math.max(1, now - Number(when)))
    } else if (text.startsWith('event: missed', at)) {
      counts.missed += Number(/"events":(\d+)/.exec(text.slice(at, at + 80))?.[1] ?? 0)
    }
  }
}

/** A stream; resolves when its answer has begun. Whole events come in one piece often enough to be counted. */
function open(url: string, query: string, take: (text: string) => void): Promise<Socket> {
  const { hostname, port, host } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(
        `GET /v1/live${query} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${adminToken}\r\n\r\n`,
      ),
    )
    let rest = ''
    socket.setEncoding('latin1')
    socket.on('error', reject)
    socket.on('data', (chunk: string) => {
      if (rest === '' && chunk.startsWith('HTTP/1.1 200')) resolve(socket)
      const text = rest + chunk
      const end = text.lastIndexOf('\n\n') + 2
      take(text.slice(0, end))
      rest = text.slice(end) || ' '
    })
  })
}

function report(server: ChildProcess): Promise<Report> {
  server.send({ do: 'report' } satisfies Order)
  return answer(server) as Promise<Report>
}

function answer(server: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => server.once('message', resolve))
}

function mb(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MB`
}
