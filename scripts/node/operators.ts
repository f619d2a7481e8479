import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import type { Place } from './place.ts'
import { addSshName, dropSshName } from './ssh-names.ts'

/**
 * What operators on hosts know of a host, beside the inventory: how ssh reaches it, and its secrets. It comes to them with the
 * next run of Puppet.
 */
export function tellOperators({ directory }: Place, host: Host): void {
  for (const own of operatorsIn(directory.path)) {
    const config = join(own, 'ssh_config')
    if (existsSync(config)) addSshName(config, host)
    const secrets = join(own, 'secrets')
    if (existsSync(secrets))
      cpSync(join(directory.path, 'secrets', host.name), join(secrets, host.name), { recursive: true })
  }
}

export function untellOperators({ directory }: Place, name: string): void {
  for (const own of operatorsIn(directory.path)) {
    const config = join(own, 'ssh_config')
    if (existsSync(config)) dropSshName(config, name)
    rmSync(join(own, 'secrets', name), { recursive: true, force: true })
  }
}

function operatorsIn(directory: string): string[] {
  const secrets = join(directory, 'secrets')
  const hosts = existsSync(secrets) ? readdirSync(secrets) : []
  return hosts.map((name) => join(secrets, name, 'operator')).filter((own) => existsSync(own))
}
