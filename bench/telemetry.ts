/**
 * History at scale, over HTTP on the embedded store: a day of 1 Hz as CSV, a year of minutes in 500 steps, and the memory
 * of the process while it exports many values. `npm run bench:telemetry -- --points 10000000`.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { startApi } from '#api/server.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import type { ParsedPoint } from '#platform/telemetry/payload.ts'
import { median } from './statistics.ts'
import { formatTable } from './table.ts'

const { values } = parseArgs({ options: { points: { type: 'string', default: '10000000' } } })
const exported = Number(values.points)

const secondMs = 1000
const minuteMs = 60_000
const dayMs = 86_400_000
const rounds = 5
const pointsPerWrite = 1000
const adminToken = 't_only-for-this-benchmark'
/** Midnight, so that whole days are compared. */
const midnight = Math.floor(Date.now() / dayMs) * dayMs

const reader = `
  const response = await fetch(process.argv[1], { headers: { authorization: process.argv[2] } })
  let bytes = 0
  for await (const chunk of response.body) bytes += chunk.length
  console.log(response.ok ? bytes : NaN)
`

const clock = { time: midnight, now: () => clock.time }
const directory = mkdtempSync(join(tmpdir(), 'cinque-bench-'))
const log = createLogger({ level: 'silent' })
const metrics = new Metrics()
const store = await openLmdbStore({ directory, log, clock })
const platform = await openPlatform({ store, log, metrics, clock })
const deps = { platform, log, metrics, clock, adminToken, version: 'bench' }
const api = await startApi(deps, { host: '127.0.0.1', port: 0 })
const rows: string[][] = []
try {
  await fill('second', 86_400, secondMs)
  await fill('minute', 365 * 1440, minuteMs)
  clock.time += 3_600_000
  const began = performance.now()
  await platform.telemetry.rollups.run()
  rows.push(['aggregates of a year of minutes made', seconds(performance.now() - began)])
  const day = `/v1/devices/second/telemetry/export?from=${midnight - dayMs}&to=${midnight}`
  rows.push(['86,400 points as CSV', await timed(day)])
  rows.push(['86,400 points as NDJSON', await timed(`${day}&format=ndjson`)])
  // A year in 500 steps: 17 h 31 min.
  const year = `/v1/devices/minute/telemetry?keys=t&order=asc&from=${midnight - 365 * dayMs}&to=${midnight}&aggregates=min,max,avg,sum,count,first,last`
  rows.push(['a year of minutes in 500 steps of 17.5 h', await timed(`${year}&step=1050m&limit=501`)])
  rows.push(['the same with p95', await timed(`${year},p95&step=1050m&limit=501`)])
  rows.push([
    'a year of minutes in days of Budapest',
    await timed(`${year}&step=1d&time_zone=Europe/Budapest`),
  ])
  rows.push([
    'a day of minutes, 1,440 values',
    await timed(`/v1/devices/minute/telemetry?limit=1440&to=${midnight}`),
  ])
  await fill('much', exported, 1)
  rows.push(await growth(`/v1/devices/much/telemetry/export`))
} finally {
  await api.close(1000)
  await platform.close()
  await store.close()
  rmSync(directory, { recursive: true, force: true })
}
process.stdout.write(`${formatTable([['what', 'result'], ...rows], 2)}\n`)

/** A device with one value every `step`, the last one just before midnight. */
async function fill(name: string, count: number, step: number): Promise<void> {
  const { device } = await platform.registry.devices.create(platform.organisation, { name })
  for (let done = 0; done < count; done += pointsPerWrite) {
    const points: ParsedPoint[] = []
    for (let at = done; at < Math.min(done + pointsPerWrite, count); at++) {
      const ts = midnight - (count - at) * step
      points.push({ key: 't', ts, value: 20 + (at % 977) / 100, json: undefined })
    }
    platform.telemetry.takePast(device, points, clock.time)
    // oxlint-disable-next-line no-await-in-loop -- as much as the disk takes
    if (platform.lanes.local.staged > 20_000) await platform.lanes.durable()
  }
  await platform.lanes.durable()
}

async function read(path: string): Promise<number> {
  const response = await fetch(api.url + path, {
    headers: { authorization: `Bearer ${adminToken}`, 'accept-encoding': 'identity' },
  })
  if (!response.ok || response.body === null) throw new Error(await response.text())
  let bytes = 0
  for await (const chunk of response.body) bytes += chunk.length
  return bytes
}

async function timed(path: string): Promise<string> {
  const times: number[] = []
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    const began = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    bytes = await read(path)
    times.push(performance.now() - began)
  }
  return `${seconds(median(times))} (${Math.round(bytes / 1024)} KB)`
}

/** How much more memory than before the process has at most while it answers somebody else's request. */
async function growth(path: string): Promise<string[]> {
  await readElsewhere(`${path}?to=${midnight - exported + 1_000_000}`)
  globalThis.gc?.()
  const before = memory()
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, memory() - before)
  }, 20)
  const began = performance.now()
  const bytes = await readElsewhere(path)
  clearInterval(timer)
  const mb = (size: number): string => `${Math.round(size / 1_048_576)} MB`
  const name = `${exported.toLocaleString('en')} points as CSV (${mb(bytes)})`
  return [name, `${seconds(performance.now() - began)}; memory at most +${mb(most)}`]
}

/** Bytes of the process's own: without the pages of the database that the system keeps in memory while it likes. */
function memory(): number {
  try {
    const kilobytes = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
    return Number(kilobytes) * 1024
  } catch {
    return process.memoryUsage().rss
  }
}

async function readElsewhere(path: string): Promise<number> {
  const args = ['--input-type=module', '-e', reader, api.url + path, `Bearer ${adminToken}`]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return Number(stdout)
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
