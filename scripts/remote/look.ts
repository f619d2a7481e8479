import { z } from 'zod'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { lookScript, type wantedMetrics } from './look-script.ts'
import type { Remote } from './remote.ts'
import { type RingEntry, ringOf } from './ring.ts'

interface UnitLook {
  readonly name: string
  /** systemd's: `active`, `activating`, `failed` ...; `missing`: there is no such unit. */
  readonly state: string
  readonly restarts: number
  /** Of its main process since that began. */
  readonly cpuSeconds: number | null
  readonly rss: number | null
}

/** What a host said of itself at one time. Bytes and seconds; null: it did not say. */
export interface HostLook {
  readonly host: string
  /** The host's own clock, seconds since 1970. */
  readonly clock: number
  /** How far that is from ours at least. */
  readonly skew: number
  readonly load: number | null
  readonly cpus: number | null
  readonly uptime: number | null
  /** Of all processors together since the start. */
  readonly cpu: { readonly busy: number; readonly all: number } | null
  readonly memory: { readonly total: number; readonly available: number } | null
  readonly disks: readonly { readonly mount: string; readonly size: number; readonly available: number }[]
  readonly network: { readonly received: number; readonly sent: number } | null
  readonly units: readonly UnitLook[]
  /** Of all units, also those of others. */
  readonly failed: readonly string[]
  readonly os: string
  readonly release: string | null
  readonly natsVersion: string | null
  readonly cassandraVersion: string | null
  /** Hosts whose nats-server is connected to this one's; null: it does not answer. */
  readonly gateways: readonly string[] | null
  /** Why `/readyz` says that it is not; empty: it is. Null: the API does not answer. */
  readonly unready: string | null
  /** Sums over the processes and labels. */
  readonly metrics: ReadonlyMap<(typeof wantedMetrics)[number], number>
  readonly ring: readonly RingEntry[] | null
}

interface Unreached {
  readonly host: string
  /** In one line. */
  readonly failure: string
}

export type Look = HostLook | Unreached

const lookMs = 30_000

/** Looks at one host; never rejects. */
export async function lookAt(
  remote: Remote,
  inventory: Inventory,
  host: Host,
  { ring, signal }: { ring: boolean; signal?: AbortSignal },
): Promise<Look> {
  const before = Date.now() / 1000
  const { code, stdout, failure } = await remote.run(host, lookScript(inventory, host, { ring }), {
    timeoutMs: lookMs,
    signal,
  })
  const after = Date.now() / 1000
  if (failure !== null) return { host: host.name, failure: failure.replace(`${host.name}: `, '') }
  const look = code === 0 ? lookOf(host.name, stdout, [before, after]) : null
  return look ?? { host: host.name, failure: `it cannot be looked at: sh ended with ${code}` }
}

/** Reads what the script printed between two times of our clock; null: that is not it. */
function lookOf(host: string, printed: string, [before, after]: readonly [number, number]): HostLook | null {
  const sections = new Map(
    printed.split(/^@@ /m).map((text) => {
      const end = text.indexOf('\n')
      return [text.slice(0, end), text.slice(end + 1).trim()]
    }),
  )
  const of = (name: string): string => sections.get(name) ?? ''
  const clock = numberOf(of('clock'))
  if (clock === null) return null
  const [loadLine = '', cpus = '', uptime = '', stat = ''] = of('load').split('\n')
  const versions = of('versions').split('\n')
  return {
    host,
    clock,
    skew: Math.max(0, before - clock, clock - after),
    load: numberOf(loadLine.split(' ')[0]),
    cpus: numberOf(cpus),
    uptime: numberOf(uptime.split(' ')[0]),
    cpu: cpuOf(stat),
    memory: memoryOf(of('memory')),
    disks: of('disks')
      .split('\n')
      .map((line) => line.split(/\s+/))
      .filter((fields) => fields.length >= 6)
      .map(([, size, , available, , mount]) => ({ mount, size: Number(size), available: Number(available) })),
    network: networkOf(of('network')),
    units: unitsOf(of('units'), of('processes')),
    failed: of('failed')
      .split('\n')
      .map((line) => line.replace(/^\W*/, '').split(' ')[0])
      .filter((unit) => unit !== ''),
    os: of('os').split('\n')[0],
    release: versions[0] === '' ? null : versions[0],
    natsVersion: versions.find((line) => line.startsWith('nats '))?.slice(5) ?? null,
    cassandraVersion: versions.find((line) => line.startsWith('cassandra '))?.slice(10) ?? null,
    gateways: gatewaysOf(of('gateways')),
    unready: unreadyOf(of('ready')),
    metrics: metricsOf(of('metrics')),
    ring: of('ring') === '' ? null : ringOf(of('ring')),
  }
}

function numberOf(text: string | undefined): number | null {
  const value = Number(text?.trim())
  return text === undefined || text.trim() === '' || !Number.isFinite(value) ? null : value
}

/** Of `/proc/stat`: user nice system idle iowait irq softirq steal. */
function cpuOf(line: string): HostLook['cpu'] {
  const [name, ...ticks] = line.trim().split(/\s+/)
  if (name !== 'cpu' || ticks.length < 8) return null
  const numbers = ticks.slice(0, 8).map(Number)
  const all = numbers.reduce((sum, one) => sum + one, 0)
  return { busy: all - numbers[3] - numbers[4], all }
}

function memoryOf(text: string): HostLook['memory'] {
  const of = (name: string): number | null =>
    numberOf(new RegExp(String.raw`^${name}:\s+(\d+) kB`, 'm').exec(text)?.[1])
  const [total, available] = [of('MemTotal'), of('MemAvailable')]
  return total === null || available === null ? null : { total: total * 1024, available: available * 1024 }
}

function networkOf(text: string): HostLook['network'] {
  const [received, sent] = text.split(' ').map((field) => numberOf(field))
  return received == null || sent == null ? null : { received, sent }
}

function unitsOf(shown: string, processes: string): UnitLook[] {
  const lines = processes.split('\n')
  const perSecond = numberOf(lines.at(-1)) ?? 100
  const running = new Map(
    lines
      .map((line) => line.split(' '))
      .filter((fields) => fields.length === 4)
      .map(([pid, user, system, kilobytes]) => [
        pid,
        { cpuSeconds: (Number(user) + Number(system)) / perSecond, rss: Number(kilobytes) * 1024 },
      ]),
  )
  return shown
    .split(/\n\n+/)
    .map((block) => new Map(block.split('\n').map((line) => splitOnce(line, '='))))
    .filter((unit) => unit.has('Id'))
    .map((unit) => {
      const own = running.get(unit.get('MainPID') ?? '')
      return {
        name: unit.get('Id')?.replace(/\.service$/, '') ?? '',
        state: unit.get('LoadState') === 'not-found' ? 'missing' : (unit.get('ActiveState') ?? ''),
        restarts: Number(unit.get('NRestarts') ?? 0),
        cpuSeconds: own?.cpuSeconds ?? null,
        rss: own?.rss ?? null,
      }
    })
}

function splitOnce(text: string, at: string): [string, string] {
  const index = text.indexOf(at)
  return index === -1 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)]
}

const readyz = z.object({ reason: z.string() })

/** Of an answer with its status in the last line. */
function unreadyOf(text: string): string | null {
  const status = text.split('\n').at(-1) ?? ''
  if (!/^[1-5]\d\d$/.test(status)) return null
  if (status === '200') return ''
  try {
    return readyz.parse(JSON.parse(text.slice(0, -status.length))).reason
  } catch {
    return status
  }
}

const gatewayz = z.object({ outbound_gateways: z.record(z.string(), z.unknown()).optional() })

function gatewaysOf(text: string): string[] | null {
  try {
    return Object.keys(gatewayz.parse(JSON.parse(text)).outbound_gateways ?? {})
  } catch {
    return null
  }
}

function metricsOf(text: string): HostLook['metrics'] {
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line) ?? []
    if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value))
  }
  return sums as HostLook['metrics']
}
