/**
 * `npm run fuzz -- [--seconds N] [--seed S]`: mutated packets against every decoder for N seconds, with a fresh seed
 * unless one is given. `--replay HEX` runs one input again. Exit code 1 and the input in hex on a failure.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { FuzzFailure, fuzzCodec, mutants } from './fuzz.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    replay: { type: 'string' },
  },
})

function run(): void {
  if (values.replay !== undefined) {
    fuzzCodec(Buffer.from(values.replay, 'hex'))
    console.log('no failure')
    return
  }
  const seconds = whole('seconds', values.seconds)
  const seed = values.seed === undefined ? randomInt(2 ** 32) : whole('seed', values.seed)
  console.log(`seed ${seed}, ${seconds} s`)
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
  console.log(`${count} inputs, slowest ${slowest.toFixed(1)} ms, no failure`)
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`--${name} must be a whole number: ${text}`)
  return value
}

try {
  run()
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error
  console.error(error.cause)
  console.error(
    `input: ${error.input.toString('hex')}\nagain: npm run fuzz -- --replay ${error.input.toString('hex')}`,
  )
  process.exitCode = 1
}
