import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startApi } from '#api/server.ts'
import { systemClock } from '#platform/clock.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { describeMachine } from './machine.ts'
import { formatTable } from './table.ts'

const usage = `node bench/registry.ts [options]

Imports devices through POST /v1/imports into the embedded store, then lists, searches and pages them over HTTP, one
request after the other, client and server in this process. Targets: 100,000 imported in 60 s; p99 under 50 ms.

  --devices N       (100000)
  --requests N      of each kind (300)
  --directory DIR   the disk to measure (the system's temporary directory)
  --json            everything as JSON
  --help            prints this
`

const token = 't_bench-of-the-registry'
const authorization = `Bearer ${token}`
const sites = 50

const kinds: readonly [name: string, query: (n: number, devices: number) => string][] = [
  ['first page of 100', () => ''],
  [
    'page of 100 somewhere',
    (n, devices) =>
      `prefix=dev-${String((n * 7919) % devices)
        .padStart(6, '0')
        .slice(0, 3)}`,
  ],
  ['label, 100 of 2,000', (n) => `label=site=s${n % sites}`],
  ['text, one device', (n, devices) => `q=v-${String((n * 104_729) % devices).padStart(6, '0')}`],
  ['text, none', (n) => `q=nowhere${n}`],
  ['offline, not seen, label', (n) => `online=false&seen_before=2100-01-01T00:00:00Z&label=floor=${n % 10}`],
  ['1,000 of a page', () => 'limit=1000'],
  ['1,000 of a page, names only', () => 'limit=1000&fields=id,name'],
]

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      devices: { type: 'string', default: '100000' },
      requests: { type: 'string', default: '300' },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(usage)
  const devices = Number(values.devices)
  const requests = Number(values.requests)
  const directory = await mkdtemp(join(values.directory, 'cinque-bench-'))
  const log = createLogger({ level: 'error' })
  const metrics = new Metrics()
  const store = await openLmdbStore({ directory, log })
  const platform = await openPlatform({ store, log, metrics, clock: systemClock })
  const api = await startApi(
    { platform, log, metrics, clock: systemClock, adminToken: token, version: 'bench' },
    { host: '127.0.0.1', port: 0 },
  )
  const ask = async (method: string, path: string, body?: string): Promise<Response> => {
    const headers = {
      authorization,
      ...(body === undefined ? {} : { 'content-type': 'application/x-ndjson' }),
    }
    return fetch(api.url + path, { method, headers, ...(body === undefined ? {} : { body }) })
  }
  try {
    const imported = await importAll(ask, devices)
    const rows = []
    const began = performance.now()
    await (await ask('GET', '/v1/devices?limit=1')).text()
    const load = performance.now() - began
    for (const [name, query] of kinds) rows.push({ name, ...(await measure(ask, requests, query, devices)) })
    rows.push({ name: 'pages of 1,000 through all', ...(await pageThrough(ask)) })
    const machine = describeMachine()
    if (values.json) {
      process.stdout.write(`${JSON.stringify({ machine, devices, ...imported, load, rows }, null, 2)}\n`)
      return
    }
    process.stdout.write(
      `${devices} devices imported in ${imported.seconds.toFixed(1)} s (upload ${imported.upload.toFixed(1)} s, ` +
        `${imported.cpu.toFixed(1)} s of CPU), ` +
        `into memory for the first list in ${load.toFixed(0)} ms\n\n`,
    )
    const shown = rows.map(({ name, p50, p99, cpu, bytes }) => [
      name,
      ms(p50),
      ms(p99),
      ms(cpu),
      `${Math.round(bytes / 1024)} KB`,
    ])
    process.stdout.write(
      `${formatTable([['request', 'p50 ms', 'p99 ms', 'CPU ms', 'answer'], ...shown], 1)}\n`,
    )
  } finally {
    await api.close(0)
    await platform.close()
    await store.close()
    await rm(directory, { recursive: true })
  }
}

type Ask = (method: string, path: string, body?: string) => Promise<Response>

async function importAll(
  ask: Ask,
  devices: number,
): Promise<{ seconds: number; upload: number; cpu: number }> {
  let body = ''
  for (let i = 0; i < devices; i++) {
    const name = `dev-${String(i).padStart(6, '0')}`
    const labels = { site: `s${i % sites}`, floor: String(i % 10) }
    body += `${JSON.stringify({ name, description: `v-${name.slice(4)}`, labels, profile: 'thermo' })}\n`
  }
  const began = performance.now()
  const used = process.cpuUsage()
  const answer = await ask('POST', '/v1/imports', body)
  const task = (await answer.json()) as { id: string; state: string; succeeded: number }
  const upload = (performance.now() - began) / 1000
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until it has ended
    const now = (await (await ask('GET', `/v1/tasks/${task.id}`)).json()) as typeof task
    if (now.state === 'completed' && now.succeeded === devices) break
    if (now.state !== 'queued' && now.state !== 'running') throw new Error(JSON.stringify(now))
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((later) => setTimeout(later, 100))
  }
  const { user, system } = process.cpuUsage(used)
  return { seconds: (performance.now() - began) / 1000, upload, cpu: (user + system) / 1e6 }
}

async function measure(
  ask: Ask,
  requests: number,
  query: (n: number, devices: number) => string,
  devices: number,
): Promise<{ p50: number; p99: number; cpu: number; bytes: number }> {
  const times: number[] = []
  let bytes = 0
  const used = process.cpuUsage()
  for (let n = 0; n < requests; n++) {
    const began = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    bytes = (await (await ask('GET', `/v1/devices?${query(n, devices)}`)).arrayBuffer()).byteLength
    times.push(performance.now() - began)
  }
  return { ...quantiles(times), cpu: perRequest(used, times.length), bytes }
}

async function pageThrough(ask: Ask): Promise<{ p50: number; p99: number; cpu: number; bytes: number }> {
  const times: number[] = []
  let bytes = 0
  const used = process.cpuUsage()
  let cursor: string | null = ''
  while (cursor !== null) {
    const began = performance.now()
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const text = await (await ask('GET', `/v1/devices?limit=1000${from}`)).text()
    times.push(performance.now() - began)
    bytes = text.length
    cursor = (JSON.parse(text) as { next: string | null }).next
  }
  return { ...quantiles(times), cpu: perRequest(used, times.length), bytes }
}

function quantiles(times: number[]): { p50: number; p99: number } {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { p50: at(0.5), p99: at(0.99) }
}

/** Milliseconds of CPU of a request, the client's part included. */
function perRequest(since: NodeJS.CpuUsage, requests: number): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000 / requests
}

function ms(value: number): string {
  return value.toFixed(1)
}

await main()
