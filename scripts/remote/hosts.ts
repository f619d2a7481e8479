import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { type CinqueClient, createClient } from '#client/index.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { agent, connect } from '#scripts/client/connect.ts'
import type { TargetOptions } from '#scripts/client/target.ts'
import { defaultInventory, inventoryFrom } from '#scripts/commands/inventory.ts'
import { defaultFleet, FleetDirectory } from '#scripts/fleet/directory.ts'
import { routers } from '#scripts/fleet/network.ts'
import { CliError } from '#scripts/output.ts'
import { type Remote, sshRemote } from './remote.ts'

/** Which hosts a command is about, and how they are reached. */
export interface HostsOptions {
  /** Directory of a test fleet of this machine; true: the default one. */
  fleet?: string | true
  inventory?: string
  sshConfig?: string
  /** For the REST API of rented ones: one that `cinque login` made; default: the one in use. */
  context?: string
}

/** Hosts of their own, of a test fleet or rented: the same for whoever works on them. */
export interface Hosts {
  readonly inventory: Inventory
  readonly remote: Remote
  /** REST of any DC, as an administrator. CliError: nobody is logged in. */
  client(): CinqueClient
}

/** Options of a verb that only speaks REST: a platform, or the test fleet of this machine. */
export interface PlatformOptions extends TargetOptions {
  fleet?: string | true
}

/** Adds `--fleet` to those that say which platform a verb speaks to. */
export function withTestFleet(command: Command): Command {
  return command.option(
    '--fleet [dir]',
    `that of \`cinque fleet\` on this machine, as its administrator (its data: "${defaultFleet}")`,
  )
}

/** As `connect`; for a test fleet the process starts itself again in its network, so call it before anything else. */
export function connectTo(options: PlatformOptions): CinqueClient {
  const { fleet } = options
  if (fleet === undefined) return connect(options)
  const other = (['context', 'url', 'token', 'data', 'dc'] as const).find(
    (name) => options[name] !== undefined,
  )
  if (other !== undefined) throw new CliError(`--fleet and --${other} exclude each other`, { exitCode: 2 })
  return openHosts({ fleet }).client()
}

/** Beside the inventory. */
const defaultSshConfig = 'ssh_config'

/** Adds the options that say which hosts a command is about. */
export function withHosts(command: Command): Command {
  return command
    .optionsGroup('Which hosts:')
    .option('--inventory <file>', `the inventory (default: "${defaultInventory}")`)
    .option(
      '--ssh-config <file>',
      `how ssh reaches them (default: "${defaultSshConfig}" beside the inventory)`,
    )
    .option(
      '--fleet [dir]',
      `those of \`cinque fleet\` on this machine instead (its data: "${defaultFleet}")`,
    )
    .option('--json', 'print JSON')
    .optionsGroup('Options:')
}

/**
 * Opens what the options name. For a test fleet the process starts itself again where its hosts can be reached, so call
 * it before anything else is done. CliError: no inventory, no ssh configuration, no such fleet.
 */
export function openHosts(options: HostsOptions): Hosts {
  const { fleet, inventory, sshConfig } = options
  if (fleet === undefined) return rented(options)
  const other = Object.entries({ '--inventory': inventory, '--ssh-config': sshConfig })
  for (const [name, value] of other) {
    if (value !== undefined) throw new CliError(`--fleet and ${name} exclude each other`, { exitCode: 2 })
  }
  return ofFleet(new FleetDirectory(fleet === true ? defaultFleet : fleet))
}

function rented({ inventory: file = defaultInventory, sshConfig, context }: HostsOptions): Hosts {
  const config = sshConfig ?? join(dirname(file), defaultSshConfig)
  const inventory = inventoryFrom(file)
  if (!existsSync(config)) {
    throw new CliError(`--ssh-config ${config}: there is no such file`, {
      exitCode: 2,
      remedy: `Write it: cinque ssh config --inventory ${file} --host-ca FILE.pub`,
    })
  }
  return {
    inventory,
    remote: sshRemote({ config }),
    client: () => connect(context === undefined ? {} : { context }),
  }
}

function ofFleet(fleet: FleetDirectory): Hosts {
  const inventory = fleet.inventory()
  const config = join(fleet.path, 'ssh', defaultSshConfig)
  if (!existsSync(config)) {
    throw new CliError(`the fleet in ${fleet.path} has no hosts yet`, {
      remedy: 'Boot them: cinque fleet up',
    })
  }
  enter(`/run/netns/${routers}`)
  const apps = inventory.hosts.filter(({ roles }) => roles.includes('app'))
  return {
    inventory,
    remote: sshRemote({ config }),
    client: () =>
      createClient({
        urls: apps.map(({ address }) => `http://${address}:${inventory.ports.http}`),
        token: readFileSync(join(fleet.path, 'admin-token'), 'utf8').trim(),
        headers: { 'user-agent': agent },
      }),
  }
}

/** Goes on in a network namespace: this process becomes another one there, with the same arguments. */
function enter(namespace: string): void {
  if (!existsSync(namespace)) {
    throw new CliError('the fleet is down', { remedy: 'Boot its hosts: cinque fleet up' })
  }
  const [there, here] = [statSync(namespace), statSync('/proc/self/ns/net')]
  if (there.ino === here.ino && there.dev === here.dev) return
  if (process.getuid?.() !== 0) throw new CliError('the hosts of a test fleet are reached by root only')
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  try {
    process.execve?.('/usr/bin/nsenter', ['nsenter', `--net=${namespace}`, ...again], process.env)
  } catch (error) {
    throw new CliError('cannot enter the network of the fleet: nsenter is not there', { cause: error })
  }
}
