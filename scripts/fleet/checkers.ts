import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import type { FleetDirectory } from './directory.ts'
import type { Machine } from './machine.ts'

const directory = 'checkers'
/** On the app host that makes them. */
const there = 'root/checkers'
const provisionMs = 300_000

export const checkersOf = ({ hosts }: Inventory): Host[] =>
  hosts.filter(({ roles }) => roles.includes('checker'))

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
  for (const { name, address } of checkersOf(inventory)) {
    const own = fleet.make(directory, name)
    // Relative to the configuration: a checker may read its own directory only.
    writeFileSync(join(own, 'inventory.yaml'), stringify(inventory))
    copyFileSync(join(fleet.path, 'authorities', 'cell', 'ca.pem'), join(own, 'cell-ca.pem'))
    const file = join(own, 'checker.yaml')
    if (existsSync(file)) continue
    writeFileSync(file, stringify({ dns: { listen: `${address}:53` }, probe: { ca_file: 'cell-ca.pem' } }), {
      mode: 0o600,
    })
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
