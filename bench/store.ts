import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { open } from 'lmdb'
import { pino } from 'pino'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { codecOf } from '#platform/store/row-codec.ts'
import { Batch } from '#platform/store/store.ts'
import type { AnyTable, RowOf } from '#platform/store/table.ts'
import { inbox } from '#platform/store/tables.ts'
import { telemetry } from '#platform/telemetry/tables.ts'
import { describeMachine } from './machine.ts'
import { median, ratioOf } from './statistics.ts'
import { formatTable } from './table.ts'

const usage = `node bench/store.ts [options]        one core: taskset -c 1 node bench/store.ts

Durable rows a second of the embedded store, encoding included, next to lmdb-js putting the same bytes.

  --rows N          rows of a run (200000)
  --batch N         rows of a batch; the next is written when one is on disk (1000)
  --rounds N        runs of each, in turn; medians count (5)
  --directory DIR   the disk to measure (the system's temporary directory)
  --json            everything as JSON
  --help            prints this
`

interface Options {
  readonly rows: number
  readonly batch: number
  readonly rounds: number
  readonly directory: string
}

/** One kind of row: the n-th row of its table. */
interface Kind<T extends AnyTable> {
  readonly name: string
  readonly table: T
  row(n: number): RowOf<T>
}

const org = 'default'
const writer = randomBytes(16)
const logs = Array.from({ length: 100 }, () => randomBytes(16))
const devices = Array.from({ length: 100 }, () => randomBytes(8).toString('hex'))
const payload = randomBytes(100)
const start = Date.now()
const day = Math.floor(start / 86_400_000)

/** A message for each of 100 sessions in turn. */
const inboxKind: Kind<typeof inbox> = {
  name: 'inbox',
  table: inbox,
  row: (n) => ({
    org,
    log: logs[n % 100],
    day,
    writer,
    seq: n,
    message: payload,
    hlc: start * 1024 + n,
    kind: 0,
  }),
}

/** A value of each of 100 devices in turn. */
const telemetryKind: Kind<typeof telemetry> = {
  name: 'telemetry',
  table: telemetry,
  row: (n) => ({
    org,
    device: devices[n % 100],
    day,
    key: 'temperature',
    ts: start + n,
    n: 0,
    number: n / 7,
  }),
}

/** Rows a second that were durable when the last batch's write resolved. */
async function storeRate<T extends AnyTable>(
  kind: Kind<T>,
  options: Options,
  directory: string,
): Promise<number> {
  const rows = Array.from({ length: options.rows }, (_, n) => kind.row(n))
  const store = await openLmdbStore({ directory, log: pino({ level: 'silent' }) })
  const began = performance.now()
  for (let n = 0; n < rows.length; n += options.batch) {
    const batch = new Batch()
    for (const row of rows.slice(n, n + options.batch)) batch.put(kind.table, row)
    await store.write(batch)
  }
  const seconds = (performance.now() - began) / 1000
  await store.close()
  return rows.length / seconds
}

/** The same bytes put by lmdb-js with the same flags, encoded before the time counts. */
async function rawRate<T extends AnyTable>(
  kind: Kind<T>,
  options: Options,
  directory: string,
): Promise<number> {
  const entries = Array.from({ length: options.rows }, (_, n) => encode(kind, n))
  const database = open<Buffer, Buffer>({
    path: directory,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
  })
  const began = performance.now()
  for (let n = 0; n < entries.length; n += options.batch) {
    for (const { key, value } of entries.slice(n, n + options.batch)) void database.put(key, value)
    await database.flushed
  }
  const seconds = (performance.now() - began) / 1000
  await database.close()
  return entries.length / seconds
}

function encode<T extends AnyTable>(kind: Kind<T>, n: number): { key: Buffer; value: Buffer } {
  const codec = codecOf(kind.table)
  const row = kind.row(n)
  const buffer = Buffer.alloc(16_384)
  buffer[0] = 1
  const keyEnd = codec.writeClustering(buffer, codec.writePartition(buffer, 1, row, 0), row, 0)
  const end = codec.writeRow(buffer, keyEnd, row, start)
  return { key: Buffer.from(buffer.subarray(0, keyEnd)), value: Buffer.from(buffer.subarray(keyEnd, end)) }
}

interface Figures {
  readonly kind: string
  readonly rowBytes: number
  readonly store: readonly number[]
  readonly raw: readonly number[]
}

async function measure<T extends AnyTable>(kind: Kind<T>, options: Options): Promise<Figures> {
  const store: number[] = []
  const raw: number[] = []
  for (let round = 0; round < options.rounds; round++) {
    // In turn and in turns, so that a slow moment of the machine or of the disk hits both.
    const both = [async () => store.push(await inNew(storeRate)), async () => raw.push(await inNew(rawRate))]
    for (const take of round % 2 === 0 ? both : both.toReversed()) await take()
  }
  const { key, value } = encode(kind, options.rows - 1)
  return { kind: kind.name, rowBytes: key.length + value.length, store, raw }

  async function inNew(rate: typeof storeRate<T>): Promise<number> {
    const directory = await mkdtemp(join(options.directory, 'cinque-bench-'))
    try {
      return await rate(kind, options, directory)
    } finally {
      await rm(directory, { recursive: true })
    }
  }
}

function optionsOf(values: Record<string, string | boolean | undefined>): Options {
  const number = (name: string, fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!Number.isSafeInteger(value) || value < 1)
      throw new Error(`--${name}: expected a whole number above 0`)
    return value
  }
  return {
    rows: number('rows', 200_000),
    batch: number('batch', 1_000),
    rounds: number('rounds', 5),
    directory: String(values['directory'] ?? tmpdir()),
  }
}

async function run(): Promise<void> {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({
    options: { rows: text, batch: text, rounds: text, directory: text, json: flag, help: flag },
  })
  if (values.help === true) {
    process.stdout.write(usage)
    return
  }
  const options = optionsOf(values)
  const figures = [await measure(inboxKind, options), await measure(telemetryKind, options)]
  const results = figures.map((one) => ({ ...one, ratio: ratioOf(one.store, one.raw) }))
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify({ machine: describeMachine(), options, results }, null, 2)}\n`)
    return
  }
  const head = ['rows', 'bytes', 'store rows/s', 'raw lmdb-js rows/s', 'ratio', '(lowest .. highest)']
  const lines = results.map(({ kind, rowBytes, store, raw, ratio }) => [
    kind,
    String(rowBytes),
    thousands(median(store)),
    thousands(median(raw)),
    ratio?.median.toFixed(2) ?? '-',
    ratio === null ? '-' : `${ratio.low.toFixed(2)} .. ${ratio.high.toFixed(2)}`,
  ])
  console.log(
    `${options.rows} rows in batches of ${options.batch}, each batch fsynced, ${options.rounds} rounds, medians`,
  )
  console.log(formatTable([head, ...lines], 1))
}

function thousands(rate: number): string {
  return `${Math.round(rate / 1000)} k`
}

try {
  await run()
} catch (error) {
  console.error(`bench/store: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
