import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { startApi } from '#api/server.ts'
import { createLogger } from '#platform/log.ts'
import { httpConfig } from '#platform/limits/config.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { systemTimers } from '#platform/timers.ts'

/**
 * The server of the benchmark, a process of its own: the API on an embedded store, with what production has (rates,
 * quotas, metrics); and on another port a bare Express handler that answers the same paths with the same bytes.
 */
export interface Ready {
  readonly cinque: string
  readonly express: string
  readonly token: string
  readonly paths: Readonly<Record<string, string>>
}

const minuteMs = 60_000
const dayMs = 86_400_000
const host = '127.0.0.1'

/** A day behind while the values are stored, so that their aggregates are due at once. */
let behind = dayMs
const clock = { now: () => Date.now() - behind }

const directory = await mkdtemp(join(tmpdir(), 'cinque-bench-'))
const log = createLogger({ level: 'error' })
const metrics = new Metrics()
const store = await openLmdbStore({ directory, log, maxBytes: Number.POSITIVE_INFINITY })
const platform = await openPlatform({ store, log, metrics, clock })
platform.telemetry.start(systemTimers)
platform.usage.start(systemTimers)
const { registry, telemetry } = platform
await registry.organisations.create({ id: 'bench' })
const { secret: token } = await platform.identity.apiKeys.create('bench', {
  name: 'bench',
  role: 'viewer',
  scopes: ['telemetry:read', 'devices:read'],
  groups: null,
  createdBy: 'bench',
  expiresAt: null,
})
const today = Math.floor(Date.now() / dayMs) * dayMs - dayMs

/** A device that has stored eight values each `every` minutes of yesterday. */
async function device(name: string, every: number): Promise<void> {
  const { device: made } = await registry.devices.create('bench', { name })
  for (let at = 0; at < dayMs; at += every * minuteMs) {
    const values = {
      temp: 20 + Math.sin(at),
      humidity: 50,
      pressure: 1013,
      battery: 3.7,
      rssi: -61,
      ok: true,
      mode: 'auto',
      n: at,
    }
    telemetry.ingestJson(made, Buffer.from(JSON.stringify({ ts: today + at, values })), clock.now())
  }
  await Promise.all(platform.lanes.all.map((commit) => commit.durable()))
}
await device('quarterly', 15)
await device('minutely', 1)
behind = 0
await telemetry.rollups.run()

const span = `from=${today}&to=${today + dayMs}`
const paths = {
  'latest, 8 keys': '/v1/devices/quarterly/latest',
  'a day, 96 values': `/v1/devices/quarterly/telemetry?keys=temp&${span}&limit=1000`,
  'a day in 96 steps of 15': `/v1/devices/minutely/telemetry?keys=temp&${span}&step=15m`,
  'a day, 1,440 values': `/v1/devices/minutely/telemetry?keys=temp&${span}&limit=2000`,
}
const rates = httpConfig.parse({ organisation_rate: 1e6, caller_rate: 1e6, address_rate: 1e6 })
const api = await startApi(
  { platform, log, metrics, clock, version: '0', adminToken: 'not-used-by-the-benchmark', rates },
  { host, port: 0 },
)

const bare = express()
bare.disable('x-powered-by')
for (const path of Object.values(paths)) {
  // oxlint-disable-next-line no-await-in-loop -- few
  const answer = await fetch(api.url + path, { headers: { authorization: `Bearer ${token}` } })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  // oxlint-disable-next-line no-await-in-loop
  const body: unknown = await answer.json()
  bare.get(path.split('?')[0], (request, response, next) => {
    if (request.url === path) response.json(body)
    else next()
  })
}
const plain = bare.listen(0, host, () => {
  const address = plain.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const ready: Ready = { cinque: api.url, express: `http://${host}:${address.port}`, token, paths }
  process.send?.(ready)
})

process.on('message', (message) => {
  if (message === 'cpu') process.send?.(process.cpuUsage())
  else void stop()
})

async function stop(): Promise<void> {
  plain.closeAllConnections()
  plain.close()
  await api.close(100)
  await platform.close()
  await store.close()
  await rm(directory, { recursive: true, force: true })
  process.disconnect()
}
