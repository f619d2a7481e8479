import { dirname, join } from 'node:path'
import { defaultInventory } from '#scripts/commands/inventory.ts'
import { defaultFleet, FleetDirectory } from '#scripts/fleet/directory.ts'
import { CliError } from '#scripts/output.ts'
import type { HostFleetOptions } from '#scripts/roll/host-fleet.ts'

/** What is common to those who add and remove hosts. */
export interface NodeOptions extends HostFleetOptions {
  plan?: true
  json?: true
}

/** Where a cell's files are: the inventory, and beside it secrets, authorities and how ssh reaches the hosts. */
export interface Place {
  readonly file: string
  readonly directory: FleetDirectory
  readonly isTestFleet: boolean
  readonly sshConfig: string
}

/** CliError: its values for Puppet cannot be right. */
export function placeOf(options: HostFleetOptions): Place {
  const place = placeNamedBy(options)
  place.directory.local()
  return place
}

function placeNamedBy({ fleet, inventory: file = defaultInventory, sshConfig }: HostFleetOptions): Place {
  if (fleet !== undefined) {
    const directory = new FleetDirectory(fleet === true ? defaultFleet : fleet)
    const config = join(directory.path, 'ssh', 'ssh_config')
    return { file: directory.inventoryFile, directory, isTestFleet: true, sshConfig: config }
  }
  const directory = new FleetDirectory(dirname(file))
  return { file, directory, isTestFleet: false, sshConfig: sshConfig ?? join(dirname(file), 'ssh_config') }
}

/** The same failure, and how to go on with it. */
export function goingOn(error: unknown): CliError {
  const said = error instanceof Error ? error.message : String(error)
  const before = error instanceof CliError && error.remedy !== undefined ? `${error.remedy} ` : ''
  return new CliError(said, {
    remedy: `${before}Then the same command again: it goes on where it is.`,
    cause: error,
  })
}
