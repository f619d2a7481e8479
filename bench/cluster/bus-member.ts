import { connect, nkeyAuthenticator } from '@nats-io/transport-node'
import { pino } from 'pino'
import { Metrics } from '#platform/metrics.ts'
import { openNatsBus } from '#platform/nats/nats-bus.ts'

/** One end of a run of `bus.ts`, which starts it with this and talks to it by IPC. */
export interface MemberTask {
  readonly role: 'publisher' | 'subscriber'
  /** Our bus, or the client library alone. */
  readonly via: 'bus' | 'raw'
  readonly server: string
  readonly caFile: string
  readonly nkeySeed: string
  readonly bytes: number
  readonly seconds: number
}

/** What it says: that it is there, then what it did. */
export type MemberReport = 'ready' | { readonly frames: number; readonly cpuMs: number; readonly ms: number }

/** Frames on their way are bounded, for both ways alike, or much would be lost: NATS has no back-pressure. */
const WINDOW_BYTES = 8 << 20
const WINDOW_FRAMES = 4096
const WARM_UP_MS = 500

interface Wire {
  send(to: string, frame: Uint8Array): void
  receive(listener: (frame: Uint8Array) => void): void
}

async function openWire(task: MemberTask): Promise<Wire> {
  const { server, caFile, nkeySeed, role: address } = task
  if (task.via === 'bus') {
    const log = pino({ level: 'warn' })
    const metrics = new Metrics()
    return openNatsBus({ servers: [server], address, tls: { caFile }, nkeySeed, log, metrics })
  }
  const [host, port] = server.split(':')
  const verify: object = { host }
  const connection = await connect({
    servers: [`${host}:${port}`],
    tls: { caFile, ...verify },
    authenticator: nkeyAuthenticator(new TextEncoder().encode(nkeySeed)),
  })
  return {
    send: (to, frame) => connection.publish(`n.${to}`, frame),
    receive: (listener) =>
      void connection.subscribe(`n.${address}`, { callback: (_, message) => listener(message.data) }),
  }
}

/** Counts what comes, and says so to the publisher every quarter of a window. */
function subscribe(wire: Wire, window: number): void {
  let count = 0
  const every = Math.max(1, window >> 2)
  wire.receive(() => {
    count++
    if (count % every !== 0) return
    const news = Buffer.alloc(8)
    news.writeDoubleBE(count)
    wire.send('publisher', news)
  })
}

/** Sends as fast as the window lets it; counts what was received between the end of the warm-up and the end. */
function publish(wire: Wire, task: MemberTask, window: number): void {
  const frame = Buffer.alloc(task.bytes, 'x')
  let sent = 0
  let taken = 0
  const fill = (): void => {
    while (sent - taken < window) {
      wire.send('subscriber', frame)
      sent++
    }
  }
  wire.receive((news) => {
    taken = Buffer.from(news.buffer, news.byteOffset, news.byteLength).readDoubleBE()
    fill()
  })
  fill()
  setTimeout(() => {
    const [from, at, cpu] = [taken, performance.now(), process.cpuUsage()]
    process.send?.('ready')
    setTimeout(() => {
      const { user, system } = process.cpuUsage(cpu)
      report({ frames: taken - from, cpuMs: (user + system) / 1000, ms: performance.now() - at })
    }, task.seconds * 1000)
  }, WARM_UP_MS)
}

function report(said: MemberReport): void {
  process.send?.(said)
}

const task = JSON.parse(process.argv[2]) as MemberTask
const window = Math.max(8, Math.min(WINDOW_FRAMES, Math.floor(WINDOW_BYTES / task.bytes)))
const wire = await openWire(task)
if (task.role === 'publisher') publish(wire, task, window)
else {
  subscribe(wire, window)
  // Its time counts from and to the parent's word, which comes with the publisher's.
  let cpu = process.cpuUsage()
  process.on('message', (word) => {
    if (word === 'begin') cpu = process.cpuUsage()
    else {
      const { user, system } = process.cpuUsage(cpu)
      report({ frames: 0, cpuMs: (user + system) / 1000, ms: 0 })
    }
  })
  report('ready')
}
