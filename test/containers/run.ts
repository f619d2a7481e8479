/**
 * `npm run test:containers [-- mocha's arguments]`: the contracts of the store and of the bus on the official images of
 * Cassandra and nats-server, with Docker or Podman. Exit code 1 when a test fails, and, after one line that says what
 * to do, when there is no container engine.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import path from 'node:path'
import { findEngine, fetchImage } from './engine.ts'
import { images } from './images.ts'

/** The first start of Cassandra on a small machine. */
const TIMEOUT_MS = 300_000

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')

async function prepare(): Promise<void> {
  const engine = await findEngine()
  for (const image of Object.values(images)) await fetchImage(engine, image)
}

async function runTests(): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      mocha,
      '--no-config',
      '--forbid-only',
      '--forbid-pending',
      '--timeout',
      String(TIMEOUT_MS),
      path.join(import.meta.dirname, '*.containers.ts'),
      ...process.argv.slice(2),
    ],
    { stdio: 'inherit' },
  )
  const [code] = (await once(child, 'exit')) as [number | null]
  return code === 0 ? 0 : 1
}

try {
  await prepare()
  process.exitCode = await runTests()
} catch (error) {
  console.error(`test:containers: ${(error as Error).message}`)
  process.exitCode = 1
}
