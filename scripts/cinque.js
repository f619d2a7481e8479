#!/usr/bin/env -S node --single-threaded-gc
/**
 * Entry point of the `cinque` command. Plain JavaScript that any Node since 14 can read, so that an old one gets a
 * sentence instead of a syntax error.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR = 24
/** As in the first line: one process serves one core, and the collector's helper threads only get in its way. */
const FLAGS = ['--single-threaded-gc']
const root = new URL('../', import.meta.url).href

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) await run()
else runUnder(bundledNode())

async function run() {
  silenceExperimentalWarnings()
  if (root.includes('/node_modules/')) await stripOwnTypes()
  await keepCompiled()
  const { main } = await import('./main.ts')
  await main(process.argv.slice(2))
}

/**
 * What one start has stripped of types and compiled the next ones read: half the time of a start, and 17 MB less, as the
 * stripper stays in memory. It is kept where only this user may write: who writes there says what is run.
 */
async function keepCompiled() {
  const { enableCompileCache } = await import('node:module')
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  enableCompileCache(process.env.NODE_COMPILE_CACHE ?? join(caches, 'cinque', 'compiled'))
}

/** Type stripping and node:sqlite are used knowingly; the warning would be the first thing that a newcomer reads. */
function silenceExperimentalWarnings() {
  const warn = process.emitWarning.bind(process)
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] !== 'ExperimentalWarning') warn(warning, ...rest)
  }
}

/** Node strips types by itself, but not below node_modules: there these files are stripped by a hook. */
async function stripOwnTypes() {
  const { registerHooks, stripTypeScriptTypes } = await import('node:module')
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.startsWith(root) || !url.endsWith('.ts') || url.includes('/node_modules/', root.length)) {
        return nextLoad(url, context)
      }
      const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'))
      return { format: 'module', source, shortCircuit: true }
    },
  })
}

/** The Node binary that came as an optional dependency, if there is one for this machine. */
function bundledNode() {
  const require = createRequire(import.meta.url)
  for (const name of [
    `node-${process.platform}-${process.arch}`,
    `node-bin-${process.platform}-${process.arch}`,
  ]) {
    try {
      const node = join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node')
      if (existsSync(node)) return node
    } catch {
      // not installed: another platform, or optional dependencies left out
    }
  }
  return null
}

function runUnder(node) {
  if (node === null) {
    process.stderr.write(
      `cinque: needs Node ${NODE_MAJOR} or newer, this is ${process.version}.\n` +
        'Install it from https://nodejs.org/en/download (or: nvm install 24), or install cinque with its optional dependencies.\n',
    )
    process.exit(1)
  }
  const child = spawn(node, [...FLAGS, ...process.argv.slice(1)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both processes; passing it on would count as the second one, which means "now".
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    process.stderr.write(`cinque: cannot start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
