import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import cassandra from 'cassandra-driver'
import { type Cell, startCell } from '#scripts/cell/cell.ts'
import { compact } from '../bars.ts'
import { checkFlow, checkTelemetry } from '../checks.ts'
import { buildGenerator, type Figures, generate } from '../generator.ts'
import { unpinned } from '../process.ts'
import { median, ratioOf } from '../statistics.ts'
import { atLeast, type Bench, type ClusterScenario, type Line } from './scenario.ts'

const DEVICES = 100
/** What the driver does best by itself (facts of the Cassandra trials: larger batches are no faster). */
const RAW_BATCH = 50
const RAW_IN_FLIGHT = 16
const HEAP_MB = 1024

type Measure = () => Promise<number>

/** Through a broker with real clients into one real node, next to the driver alone on the same node in the same round. */
export const endToEnd: ClusterScenario = {
  name: 'end-to-end',
  about: 'devices at QoS 1 through one broker into one Cassandra node, next to the driver alone',
  async run(bench: Bench): Promise<Line[]> {
    const generator = await buildGenerator()
    const directory = path.join(bench.directory, 'cell')
    const sets = ['auth.anonymous=true', 'log_level=warn', 'sys_interval=0']
    const cell = await startCell({ directory, dcs: 1, heapMb: HEAP_MB, sets, say: bench.say })
    const raw = new cassandra.Client({
      contactPoints: [cell.inventory.hosts[0].address],
      localDataCenter: cell.dcs[0].name,
      keyspace: 'cinque',
    })
    try {
      const credentials = path.join(bench.directory, 'credentials.tsv')
      await writeFile(credentials, await makeDevices(cell), { mode: 0o600 })
      const at = cell.dcs[0].mqtt.replace('mqtt://', '')
      const run = async (
        args: readonly string[],
        check: (figures: Figures) => readonly string[],
      ): Promise<Figures> => {
        const time = ['--at', at, '--warm', '2', '--time', String(bench.seconds)]
        const figures = await generate(generator, [...args, ...time], unpinned)
        for (const problem of check(figures)) bench.say(`${args[0]}: ${problem}`)
        return figures
      }
      const points = async (each: number): Promise<number> => {
        const devices = ['--pubs', String(DEVICES), '--window', '16', '--credentials', credentials]
        const figures = await run(['telemetry', ...devices, '--points', String(each)], checkTelemetry)
        return figures['pointsPerS'] ?? NaN
      }
      const persistent: Measure = async () => {
        const who = [
          '--pubs',
          '100',
          '--subs',
          '100',
          '--topics',
          '100',
          '--window',
          '16',
          '--credit',
          '20000',
        ]
        const figures = await run(['flow', ...who, '--qos', '1', '--persist'], checkFlow)
        return figures['receivedPerS'] ?? NaN
      }
      await raw.connect()
      return [
        await against(
          bench,
          'telemetry QoS 1, 10 points a message, points/s',
          () => points(10),
          () => rawTelemetry(raw, bench.seconds),
          0.5,
        ),
        await against(
          bench,
          'telemetry QoS 1, 1 point a message, points/s',
          () => points(1),
          () => rawTelemetry(raw, bench.seconds),
          0.5,
        ),
        await against(
          bench,
          'persistent sessions, QoS 1, 100 pairs, messages/s',
          persistent,
          () => rawInbox(raw, bench.seconds),
          0.4,
        ),
      ]
    } finally {
      await raw.shutdown()
      await cell.kill()
    }
  },
}

async function makeDevices(cell: Cell): Promise<string> {
  const lines: string[] = []
  for (let n = 0; n < DEVICES; n++) {
    const name = `bench-${n}`
    const { key } = await cell.createDevice(name)
    lines.push(`${name}\t${name}\t${key}\n`)
  }
  return lines.join('')
}

async function against(
  { rounds, say }: Bench,
  what: string,
  ours: Measure,
  raw: Measure,
  least: number,
): Promise<Line> {
  const rates: number[] = []
  const raws: number[] = []
  // The first run of each warms Cassandra up.
  await raw()
  await ours()
  for (let round = 0; round < rounds; round++) {
    const both = [async () => rates.push(await ours()), async () => raws.push(await raw())]
    for (const take of round % 2 === 0 ? both : both.toReversed()) await take()
    say(`${what}: ${compact(rates[round])}, driver alone ${compact(raws[round])}`)
  }
  const ratio = ratioOf(rates, raws)?.median ?? NaN
  const value = `${ratio.toFixed(2)} of the driver's (${compact(median(rates))} : ${compact(median(raws))})`
  return { what, value, bar: atLeast(ratio, least) }
}

/** Rows a second of batches of one partition each. */
async function rawRate(
  client: cassandra.Client,
  seconds: number,
  query: string,
  row: (source: number, n: number) => unknown[],
): Promise<number> {
  const end = performance.now() + seconds * 1000
  let rows = 0
  const from = performance.now()
  const workers = Array.from({ length: RAW_IN_FLIGHT }, async (_, worker) => {
    for (let n = 0; performance.now() < end; n += RAW_BATCH) {
      const queries = Array.from({ length: RAW_BATCH }, (_unused, at) => ({
        query,
        params: row(worker, n + at),
      }))
      await client.batch(queries, {
        prepare: true,
        logged: false,
        consistency: cassandra.types.consistencies.localQuorum,
      })
      rows += RAW_BATCH
    }
  })
  await Promise.all(workers)
  return (rows / (performance.now() - from)) * 1000
}

const begun = Date.now()
const day = Math.floor(begun / 86_400_000)

function rawTelemetry(client: cassandra.Client, seconds: number): Promise<number> {
  const query = 'INSERT INTO telemetry (org, device, day, key, ts, n, number) VALUES (?, ?, ?, ?, ?, ?, ?)'
  return rawRate(client, seconds, query, (source, n) => [
    'raw',
    `device-${source}`,
    day,
    `k${n % 10}`,
    begun + n,
    0,
    n / 7,
  ])
}

const writer = Buffer.alloc(16, 7)
const message = Buffer.alloc(100, 1)

function rawInbox(client: cassandra.Client, seconds: number): Promise<number> {
  const query =
    'INSERT INTO inbox (org, log, day, writer, seq, message, hlc, kind) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
  return rawRate(client, seconds, query, (source, n) => [
    'raw',
    Buffer.alloc(16, source),
    day,
    writer,
    begun * 100 + n,
    message,
    begun * 1024 + n,
    0,
  ])
}
