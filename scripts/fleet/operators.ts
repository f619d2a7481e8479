import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { writeSshConfig } from '#scripts/remote/ssh-config.ts'
import { hostsIn } from './checkers.ts'
import type { FleetDirectory } from './directory.ts'

/** Where profile::operator gives it to the service. */
const there = '/etc/cinque/operator'

/**
 * Puts what an operator needs among the secrets of the hosts that are named in profile::operator::hosts: how it reaches the
 * others, and what it makes them anew from. Call it when `local.yaml` is as it is to be.
 */
export function writeOperators(inventory: Inventory, fleet: FleetDirectory): void {
  const names = hostsIn(fleet.values(), 'profile::operator::hosts')
  const apps = inventory.hosts.filter(({ roles }) => roles.includes('app'))
  const urls = apps.map(({ address }) => `http://${address}:${inventory.ports.http}`)
  if (names.length === 0) return
  const token = readFileSync(join(fleet.path, 'admin-token'), 'utf8').trim()
  for (const name of names) {
    const own = join(fleet.path, 'secrets', name, 'operator')
    rmSync(own, { recursive: true, force: true })
    mkdirSync(own, { recursive: true, mode: 0o700 })
    writeFileSync(join(own, 'inventory.yaml'), stringify(inventory))
    copyFileSync(join(fleet.path, 'ssh', 'operator'), join(own, 'key'))
    writeSshConfig(
      own,
      {
        hosts: inventory.hosts,
        hostAuthorities: [join(fleet.path, 'ssh', 'hosts-ca.pub')],
        user: 'root',
        identity: join(there, 'key'),
      },
      there,
    )
    copyFileSync(join(fleet.path, 'local.yaml'), join(own, 'local.yaml'))
    for (const { name: host } of inventory.hosts) {
      const secrets = join(fleet.path, 'secrets', host)
      cpSync(secrets, join(own, 'secrets', host), {
        recursive: true,
        // Each has all of them: with those of other operators there would be no end.
        filter: (from) => from !== join(secrets, 'operator'),
      })
    }
    const env = `CINQUE_URL=${urls.join(',')}\nCINQUE_TOKEN=${token}\n`
    writeFileSync(join(own, 'operator.env'), env, { mode: 0o600 })
  }
}
