import { resolve } from 'node:path'
import { createClient } from '#client/index.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { printJson, printLine } from '#scripts/output.ts'
import { DevFiles, type Secrets } from '#scripts/run/dev-files.ts'
import { version } from '#scripts/version.ts'
import { cellBanner } from './banner.ts'
import { type Cell, type CellOptions, startCell } from './cell.ts'
import { serveControl, socketPath } from './control.ts'
import { statusLines } from './status.ts'

const firstDevice = 'thermo-1'

/** Runs `cinque dev --dcs` until SIGTERM or SIGINT; resolves when everything has ended. */
export async function runDevCell({ json, ...options }: CellOptions & { json: boolean }): Promise<void> {
  // Said before anything is started.
  socketPath(resolve(options.directory))
  const asked = untilStopped()
  // The terminal was closed: the rules in the packet filter must go, too.
  process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'))
  const startedAt = Date.now()
  const say = (line: string): void => {
    const at = ((Date.now() - startedAt) / 1000).toFixed(0).padStart(4)
    process.stderr.write(`${at} s  ${line}\n`)
  }
  const giveUp = new AbortController()
  const starting = startCell({ ...options, say, signal: giveUp.signal })
  const cell = await Promise.race([starting, asked])
  if (cell === undefined) {
    say('stopping')
    giveUp.abort()
    await starting.then(
      (started) => started.stop(),
      () => undefined,
    )
    return
  }
  const control = await serveControl(cell)
  const files = new DevFiles(cell.directory)
  try {
    const secrets = await deviceOf(cell, files)
    const dcs = cell.dcs.map(({ name, http, mqtt }) => ({ name, url: http, mqtt }))
    const { url, mqtt } = dcs[0]
    files.writeRunning({ pid: process.pid, url, mqtt, token: cell.token, dcs })
    if (json) printJson({ ...cell.status(), ...secrets })
    else {
      for (const line of statusLines(cell.status())) printLine(line)
      printLine(cellBanner(cell, version, secrets))
    }
    await asked
    say('stopping')
  } finally {
    files.removeRunning()
    control.close()
    await cell.stop()
  }
}

/** The device made at the first start, with its key. */
async function deviceOf(cell: Cell, files: DevFiles): Promise<Secrets> {
  const kept = files.readSecrets()
  if (kept !== undefined) return kept
  const client = createClient({ url: cell.dcs[0].http, token: cell.token })
  const existing = await client.get('/v1/devices', { params: { query: { limit: 1 } } })
  // The file with the key was lost: a key can't be shown again.
  if (existing.items.length > 0) return { token: cell.token, device: null }
  const { id, name, key } = await cell.createDevice(firstDevice)
  const secrets = { token: cell.token, device: { id, name, key } }
  files.writeSecrets(secrets)
  return secrets
}
