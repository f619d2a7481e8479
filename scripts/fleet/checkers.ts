import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { CliError } from '#scripts/output.ts'
import type { FleetDirectory } from './directory.ts'
import type { Machine } from './machine.ts'

const directory = 'checkers'
/** On the app host that makes them. */
const there = 'root/checkers'
const provisionMs = 300_000

export const checkersOf = ({ hosts }: Inventory): Host[] =>
  hosts.filter(({ roles }) => roles.includes('checker'))

/** Names of hosts that a value lists. */
export function hostsIn(values: Readonly<Record<string, unknown>>, key: string): string[] {
  const found = z.array(z.string()).safeParse(values[key] ?? [])
  if (found.success) return found.data
  throw new CliError(`values.yaml: ${key}: expected names of hosts`, { exitCode: 2 })
}

/** Whether all checkers have what they need among their secrets. */
export function areProvisioned(inventory: Inventory, { path }: FleetDirectory): boolean {
  const checkers = checkersOf(inventory)
  return (
    checkers.length > 0 &&
    checkers.every(({ name }) => existsSync(join(path, 'secrets', name, 'checker', 'checker.yaml')))
  )
}

/** The next cell has no devices of theirs: they are to be provisioned again. */
export function forgetCheckers(inventory: Inventory, { path }: FleetDirectory): void {
  for (const { name } of checkersOf(inventory)) {
    rmSync(join(path, 'secrets', name, 'checker'), { recursive: true, force: true })
  }
}

/**
 * Has an app host make keys, devices and configurations of all checkers, and puts them among these hosts' secrets. What was
 * made before is kept. Rejects with an Error of one line.
 */
export async function provisionCheckers(
  inventory: Inventory,
  fleet: FleetDirectory,
  on: { readonly host: Host; readonly machine: Machine },
): Promise<void> {
  const kept = fleet.make(directory)
  const place = join(on.machine.root, there)
  const checkers = checkersOf(inventory)
  // Port 53 of a host is its own or gdnsd's.
  const withGdnsd = hostsIn(fleet.values(), 'profile::gdnsd::hosts')
  const name_servers = inventory.dns === undefined ? [] : checkers.map(({ address }) => address)
  for (const { name, address } of checkers) {
    const own = fleet.make(directory, name)
    // Relative to the configuration: a checker may read its own directory only.
    writeFileSync(join(own, 'inventory.yaml'), stringify(inventory))
    copyFileSync(join(fleet.path, 'authorities', 'cell', 'ca.pem'), join(own, 'cell-ca.pem'))
    const file = join(own, 'checker.yaml')
    if (existsSync(file)) continue
    const config = {
      ...(withGdnsd.includes(name) ? {} : { dns: { listen: `${address}:53` } }),
      probe: { ca_file: 'cell-ca.pem', name_servers },
    }
    writeFileSync(file, stringify(config), { mode: 0o600 })
  }
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place, { recursive: true, mode: 0o700 })
  cpSync(kept, place, { recursive: true })
  const url = `http://${on.host.address}:${inventory.ports.http}`
  const command = [
    'CINQUE_TOKEN="$(cat /etc/cinque/secrets/admin-token)" cinque healthcheck provision',
    `--url ${url} --inventory /${there}/${checkersOf(inventory)[0].name}/inventory.yaml --inventory-at inventory.yaml`,
    `--directory /${there}`,
  ].join(' ')
  const { code, stdout, stderr } = await on.machine.exec(['sh', '-c', command], { timeoutMs: provisionMs })
  if (code !== 0) {
    const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1)
    throw new Error(`checkers cannot be provisioned: ${said ?? `ended with ${code}`}`)
  }
  cpSync(place, kept, { recursive: true })
  rmSync(place, { recursive: true })
  for (const { name } of checkersOf(inventory)) {
    cpSync(join(kept, name), fleet.make('secrets', name, 'checker'), { recursive: true })
  }
}
