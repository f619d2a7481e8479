import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { writeSshConfig } from '#scripts/remote/ssh-config.ts'
import { hostsIn } from './checkers.ts'
import type { FleetDirectory } from './directory.ts'

const field = 'profile::operator::hosts'
/** Where profile::operator gives it to the service. */
const there = '/etc/cinque/operator'

/** Whether Puppet is told to run an operator on a host. */
export function isOperator(fleet: FleetDirectory, name: string): boolean {
  const names = fleet.local()[field]
  return Array.isArray(names) && names.includes(name)
}

/**
 * Puts what an operator needs among the secrets of the hosts that are named in profile::operator::hosts: how it reaches the
 * others, and what it makes them anew from; other hosts keep none of it. Call it when `local.yaml` is as it is to be.
 */
export function writeOperators(inventory: Inventory, fleet: FleetDirectory): void {
  const names = hostsIn(fleet.values(), field)
  rmSync(join(fleet.path, 'operator'), { recursive: true, force: true })
  for (const { name } of inventory.hosts)
    rmSync(join(fleet.path, 'secrets', name, 'operator'), { recursive: true, force: true })
  const apps = inventory.hosts.filter(({ roles }) => roles.includes('app'))
  const urls = apps.map(({ address }) => `http://${address}:${inventory.ports.http}`)
  if (names.length === 0) return
  const token = readFileSync(join(fleet.path, 'admin-token'), 'utf8').trim()
  const made = fleet.make('operator')
  writeFileSync(join(made, 'inventory.yaml'), stringify(inventory))
  copyFileSync(join(fleet.path, 'ssh', 'operator'), join(made, 'key'))
  const access = {
    hosts: inventory.hosts,
    hostAuthorities: [join(fleet.path, 'ssh', 'hosts-ca.pub')],
    user: 'root',
    identity: join(there, 'key'),
  }
  writeSshConfig(made, access, there)
  copyFileSync(join(fleet.path, 'local.yaml'), join(made, 'local.yaml'))
  for (const { name: host } of inventory.hosts) {
    const secrets = join(fleet.path, 'secrets', host)
    // Each operator has those of all hosts: with those of other operators there would be no end.
    const filter = (from: string): boolean => from !== join(secrets, 'operator')
    cpSync(secrets, join(made, 'secrets', host), { recursive: true, filter })
  }
  const env = `CINQUE_URL=${urls.join(',')}\nCINQUE_TOKEN=${token}\n`
  writeFileSync(join(made, 'operator.env'), env, { mode: 0o600 })
  for (const name of names) cpSync(made, join(fleet.path, 'secrets', name, 'operator'), { recursive: true })
}
