import { dirname, join } from 'node:path'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { run } from '#scripts/child-process.ts'
import { defaultFleet, FleetDirectory } from '#scripts/fleet/directory.ts'
import { CliError } from '#scripts/output.ts'
import { isLook, lookAtAll } from '#scripts/remote/cell-look.ts'
import { type HostsOptions, openHosts } from '#scripts/remote/hosts.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import type { Fleet } from './fleet.ts'
import { fleetGates } from './gates/all.ts'
import { backupTimer } from './gates/backup-timer.ts'
import { hashOf, newestRelease, runsRelease } from './releases.ts'
import { puppetInstaller, upgrades } from './puppet-installer.ts'
import { sshHands } from './ssh-hands.ts'
import { dnsTraffic, withoutRows } from './traffic.ts'

export interface HostFleetOptions extends HostsOptions {
  /** Of rented hosts: a shell command that has the provider make CINQUE_HOST at CINQUE_ADDRESS anew. */
  rebuild?: string
}

/** A provider takes minutes, ms. */
const rebuildMs = 900_000

/** Of hosts of their own, rented or of a test fleet. CliError as `openHosts`, or values for Puppet that cannot be right. */
export function hostFleet(options: HostFleetOptions): Fleet {
  const hosts = openHosts(options)
  const { inventory, remote } = hosts
  const { fleet, inventory: file = 'cell.yaml' } = options
  const directory = new FleetDirectory(
    fleet === undefined ? dirname(file) : fleet === true ? defaultFleet : fleet,
  )
  // What is wrong with them is said before a host is out of service for it.
  directory.local()
  const client = hosts.client()
  const hands = sshHands({
    inventory,
    remote,
    traffic: dnsTraffic(client, inventory),
    leaving: dnsTraffic(client, withoutRows(inventory)),
    gates: [...fleetGates({ client, inventory }), backupTimer(remote, inventory)],
    installer: puppetInstaller(inventory, directory),
    rebuild: fleet === undefined ? byProvider(options.rebuild) : byBooting(directory),
  })
  return {
    inventory,
    hands,
    client,
    releases: (some) => releasesOf(remote, inventory, some),
    newest: () => checkedNewest([join(directory.path, 'upgrades'), upgrades]),
  }
}

async function releasesOf(
  remote: Remote,
  inventory: Inventory,
  hosts: readonly Host[],
): Promise<ReadonlyMap<string, readonly Host[]>> {
  const some = hosts.filter(runsRelease)
  const looks = await lookAtAll(remote, inventory, some, { ring: () => false })
  const told = some.flatMap((host) => {
    const look = looks.get(host.name)
    return isLook(look) && look.release !== null ? [{ host, release: look.release }] : []
  })
  const groups = Map.groupBy(told, ({ release }) => release)
  return new Map(Array.from(groups, ([release, of]) => [release, of.map(({ host }) => host)]))
}

async function checkedNewest(directories: readonly string[]): Promise<string | undefined> {
  const newest = newestRelease(directories)
  if (newest !== undefined) await hashOf(newest)
  return newest?.release
}

function byProvider(command: string | undefined) {
  return async ({ name, address }: Host, signal: AbortSignal): Promise<void> => {
    if (command === undefined) {
      throw new CliError('nobody says how a host is made anew', {
        remedy: "Name the provider's command: --rebuild 'hcloud server rebuild $CINQUE_HOST ...'",
      })
    }
    const env = { ...process.env, CINQUE_HOST: name, CINQUE_ADDRESS: address }
    const { code, stdout, stderr } = await run('sh', ['-c', command], { env, signal, timeoutMs: rebuildMs })
    signal.throwIfAborted()
    if (code === 0) return
    const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? ''
    throw new Error(`--rebuild for ${name}: ${said === '' ? `ended with ${code}` : said}`)
  }
}

function byBooting({ path }: FleetDirectory) {
  return async (host: Host): Promise<void> => {
    const { Fleet: TestFleet } = await import('#scripts/fleet/fleet.ts')
    const { stderrLogger } = await import('#scripts/run/logger.ts')
    const { Metrics } = await import('#platform/metrics.ts')
    const log = stderrLogger('warn', new Metrics())
    const fleet = await TestFleet.open({ directory: path, log, say: () => undefined })
    await fleet.machine(host).wipe()
    await fleet.boot([host])
  }
}
