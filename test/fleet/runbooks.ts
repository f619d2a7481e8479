// Types the commands of the pages in docs/operations/alerts and verbs on a test fleet, as they stand: in a directory with
// `cell.yaml` and `ssh_config`, by an administrator. Only names of hosts are those of the fleet.
//   node test/fleet/runbooks.ts [--fleet DIR] [PAGE ...]
// Exit code 1: a command ended with something else than 0, or 1 where that tells of the fleet (`cinque status`).
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { selectHosts } from '#platform/inventory/select.ts'
import { defaultFleet, FleetDirectory } from '#scripts/fleet/directory.ts'
import { routers } from '#scripts/fleet/network.ts'
import { reportFailure } from '#scripts/output.ts'
import { entry } from '../scripts/child.ts'
import { runbookPages } from './runbook-pages.ts'

const { values, positionals } = parseArgs({
  options: { fleet: { type: 'string', default: defaultFleet } },
  allowPositionals: true,
})
const fleet = new FleetDirectory(resolve(values.fleet))
const inventory = inventoryOrEnd()
const app = selectHosts(inventory, 'role=app')[0]
const db = selectHosts(inventory, 'role=db')[0]
const commandMs = 600_000
/** `logs tail` goes on until somebody ends it, as its reader does. */
const readMs = 12_000

const place = mkdtempSync(join(tmpdir(), 'cinque-runbooks-'))
process.on('exit', () => rmSync(place, { recursive: true, force: true }))
writeFileSync(join(place, 'cell.yaml'), stringify(inventory))
for (const file of ['ssh_config', 'known_hosts'])
  copyFileSync(join(fleet.path, 'ssh', file), join(place, file))
writeFileSync(join(place, 'cinque'), `#!/bin/sh\nexec ${process.execPath} ${entry} "$@"\n`, { mode: 0o755 })
symlinkSync(process.execPath, join(place, 'node'))
for (const name of ['secrets', 'artifacts', 'local.yaml'])
  symlinkSync(join(fleet.path, name), join(place, name))
// What a provider does to a rented host.
const rebuild = fileURLToPath(new URL('rebuild.ts', import.meta.url))
writeFileSync(
  join(place, 'rebuild'),
  `#!/bin/sh\nexec ${process.execPath} ${rebuild} ${fleet.path} "$CINQUE_HOST"\n`,
  {
    mode: 0o755,
  },
)
const env = {
  ...process.env,
  PATH: `${place}:${process.env['PATH']}`,
  XDG_CONFIG_HOME: place,
  CINQUE_URL: `http://${app.address}:${inventory.ports.http}`,
  CINQUE_TOKEN: readFileSync(join(fleet.path, 'admin-token'), 'utf8').trim(),
}

function inventoryOrEnd(): Inventory {
  try {
    return fleet.inventory()
  } catch (error) {
    return process.exit(reportFailure(error, false))
  }
}

/** The names that pages use are those of the size `full`. */
function here(line: string): string {
  return line.replaceAll(/\bdc01-app\d\b/g, app.name).replaceAll(/\bdc01-db\d\b/g, db.name)
}

const hasCheckers = inventory.hosts.some(({ roles }) => roles.includes('checker'))
let failed = 0
for (const { name, commands } of runbookPages()) {
  if (positionals.length > 0 && !positionals.some((wanted) => name.includes(wanted))) continue
  process.stdout.write(`\n## ${name}\n`)
  for (const command of commands) {
    const line = here(command)
    if (line.includes('role=checker') && !hasCheckers) {
      process.stdout.write(`$ ${line}\n  not tried: this fleet has no checkers\n`)
      continue
    }
    // Names are those of other hosts here, and one would be erased.
    if (/^cinque node (add|remove) /.test(line)) {
      process.stdout.write(`$ ${line}\n  not tried: it changes which hosts there are\n`)
      continue
    }
    const begun = performance.now()
    const endless = line.includes('logs tail')
    const timed = endless ? ['timeout', '-s', 'INT', String(readMs / 1000)] : []
    const { status, stdout, stderr } = spawnSync(
      'nsenter',
      [`--net=/run/netns/${routers}`, ...timed, 'sh', '-c', endless ? `exec ${line}` : line],
      { cwd: place, env, encoding: 'utf8', timeout: commandMs, maxBuffer: 64 * 1024 * 1024 },
    )
    const told = line.startsWith('cinque status') && status === 1
    // 124: it was read long enough.
    const good = status === 0 || told || (endless && status === 124)
    if (!good) failed++
    const seconds = ((performance.now() - begun) / 1000).toFixed(1)
    process.stdout.write(`$ ${line}\n  ${good ? 'ok' : 'FAILED'}, exit code ${status}, ${seconds} s\n`)
    const lines = `${stdout}${good ? '' : stderr}`.trimEnd().split('\n')
    for (const one of lines.slice(0, good ? 4 : 20)) process.stdout.write(`  | ${one.slice(0, 150)}\n`)
  }
}
process.stdout.write(failed === 0 ? '\nall commands did as the pages say\n' : `\n${failed} commands failed\n`)
process.exitCode = failed === 0 ? 0 : 1
