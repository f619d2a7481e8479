/**
 * `npm run fuzz -- [--seconds N] [--seed S]`: mutated packets against every decoder for N seconds, then mutated
 * streams against a broker for N seconds, with a fresh seed unless one is given. `--target codec` or `--target broker`
 * runs one of them, `--replay HEX` gives one input again to both. Exit code 1 and the input in hex on a failure; a
 * failure that needs the inputs before it comes back with the same seed.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { BrokerFuzz } from './broker.ts'
import { FuzzFailure, fuzzCodec, mutants } from './fuzz.ts'

/** After so many connections the broker is replaced, so that its sessions and retained messages stay few. */
const ROUNDS_PER_BROKER = 5000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    target: { type: 'string' },
  },
})

function whole(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`--${name} must be a whole number: ${text}`)
  }
  return value
}

function runCodec(seed: number, seconds: number): void {
  const end = performance.now() + seconds * 1000
  let count = 0
  let slowest = 0
  for (const input of mutants(seed)) {
    const begin = performance.now()
    fuzzCodec(input)
    const now = performance.now()
    slowest = Math.max(slowest, now - begin)
    count++
    if (now >= end) break
  }
  console.log(`decoders: ${count} inputs, slowest ${slowest.toFixed(1)} ms, no failure`)
}

async function runBroker(seed: number, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000
  let count = 0
  for (let next = seed; performance.now() < end; next++) {
    const fuzz = await BrokerFuzz.start(next)
    try {
      for (let i = 0; i < ROUNDS_PER_BROKER && performance.now() < end; i++, count++) await fuzz.round()
    } finally {
      await fuzz.stop()
    }
  }
  console.log(`broker: ${count} connections, no failure`)
}

/** As one chunk, and byte by byte. */
async function replay(input: Buffer): Promise<void> {
  fuzzCodec(input)
  const fuzz = await BrokerFuzz.start(0)
  try {
    await fuzz.replay([input])
    await fuzz.replay(Array.from(input, (byte) => Buffer.of(byte)))
  } finally {
    await fuzz.stop()
  }
  console.log('no failure')
}

async function run(): Promise<void> {
  if (values.replay !== undefined) return replay(Buffer.from(values.replay, 'hex'))
  const { target } = values
  if (target !== undefined && target !== 'codec' && target !== 'broker') {
    throw new RangeError(`--target must be codec or broker: ${target}`)
  }
  const seconds = whole('seconds', values.seconds)
  const seed = values.seed === undefined ? randomInt(2 ** 32) : whole('seed', values.seed)
  console.log(`seed ${seed}, ${seconds} s`)
  if (target !== 'broker') runCodec(seed, seconds)
  if (target !== 'codec') await runBroker(seed, seconds)
}

function failed(error: unknown): void {
  if (error instanceof FuzzFailure) {
    console.error(error.cause)
    console.error(`again: npm run fuzz -- --replay ${error.input.toString('hex')}`)
  } else console.error(error instanceof RangeError ? error.message : error)
  process.exit(1)
}

process.on('uncaughtException', failed) // thrown by the broker in a turn of its own; its input has been printed
run().catch(failed)
