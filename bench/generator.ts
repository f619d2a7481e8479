import { spawn } from 'node:child_process'
import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { run, type Pin } from './process.ts'
import { median } from './statistics.ts'

const sources = path.join(import.meta.dirname, 'loadgen')
const output = path.join(import.meta.dirname, 'out')

/** What the generator prints, by dotted name (`latencyUs.p99`): microseconds, counts; true is 1, a list its median. */
export type Figures = Readonly<Record<string, number>>

const printed = z.record(
  z.string(),
  z.union([z.number(), z.boolean(), z.string(), z.array(z.number()), z.record(z.string(), z.number())]),
)

/** @throws when it is not what the generator prints. */
export function parseFigures(text: string): Figures {
  const figures: Record<string, number> = {}
  for (const [name, value] of Object.entries(printed.parse(JSON.parse(text)))) {
    if (Array.isArray(value)) figures[name] = median(value)
    else if (typeof value === 'object')
      for (const [part, number] of Object.entries(value)) figures[`${name}.${part}`] = number
    else if (typeof value !== 'string') figures[name] = Number(value)
  }
  return figures
}

export interface Generator {
  readonly path: string
  /** Whether it was built with OpenSSL. */
  readonly tls: boolean
}

async function newest(paths: readonly string[]): Promise<number> {
  const times = await Promise.all(paths.map(async (p) => (await stat(p)).mtimeMs))
  return Math.max(...times)
}

async function modified(file: string): Promise<number> {
  return stat(file).then(
    (s) => s.mtimeMs,
    () => 0,
  )
}

async function hasOpenssl(): Promise<boolean> {
  const probe = await run('cc', ['-E', '-include', 'openssl/ssl.h', '-x', 'c', '/dev/null'])
  return probe.code === 0
}

/**
 * Compiles the load generator into bench/out when its sources are newer than what is there.
 * @throws when there is no C compiler, or this is not Linux (it stands on epoll).
 */
export async function buildGenerator(): Promise<Generator> {
  if (process.platform !== 'linux') throw new Error('the load generator runs on Linux only (epoll)')
  const files = (await readdir(sources)).map((name) => path.join(sources, name))
  const units = files.filter((name) => name.endsWith('.c'))
  const changed = await newest(files)
  for (const tls of [true, false]) {
    const target = path.join(output, tls ? 'loadgen-tls' : 'loadgen')
    if ((await modified(target)) > changed) return { path: target, tls }
    if (tls && !(await hasOpenssl())) continue
    await mkdir(output, { recursive: true })
    const libraries = tls ? ['-DWITH_TLS', '-lssl', '-lcrypto'] : []
    const made = `${target}.${process.pid}` // two processes may build at once
    const built = await run('cc', ['-std=gnu11', '-O2', '-Wall', '-o', made, ...units, ...libraries])
    if (built.code === null)
      throw new Error('no C compiler: install one (Debian, Ubuntu: apt install gcc libc6-dev libssl-dev)')
    if (built.code === 0) {
      await rename(made, target)
      return { path: target, tls }
    }
    if (!tls) throw new Error(`the load generator does not compile:\n${built.stderr}`)
  }
  throw new Error('the load generator was not built')
}

/** Runs the generator once. Rejects with its last line of standard error when it could not run. */
export async function generate(generator: Generator, args: readonly string[], pin: Pin): Promise<Figures> {
  const [command, commandArgs] = pin(generator.path, args)
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArgs, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (s: string) => (stdout += s))
    child.stderr.setEncoding('utf8').on('data', (s: string) => (stderr = (stderr + s).slice(-2000)))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(parseFigures(stdout))
      else reject(new Error(stderr.trim().split('\n').at(-1) || `the generator ended with ${code ?? signal}`))
    })
  })
}
