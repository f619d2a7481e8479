import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { defaultCellData } from '#scripts/client/target.ts'
import { CliError } from '#scripts/output.ts'
import { defaultInventory } from '#scripts/commands/inventory.ts'
import { withHosts } from '#scripts/remote/hosts.ts'
import { cellFleet, type Fleet } from './fleet.ts'
import { type HostFleetOptions, hostFleet } from './host-fleet.ts'

/** Which hosts are rolled. */
export interface FleetOptions extends HostFleetOptions {
  /** Data of a `cinque dev --dcs`. */
  cell?: string
  json?: boolean
}

/** Adds the options that say which hosts are rolled. */
export function withFleet(command: Command): Command {
  return withHosts(command)
    .option('--context <name>', 'for the REST API: one that `cinque login` made (default: the one in use)')
    .option(
      '--cell <dir>',
      `processes of a \`cinque dev --dcs\` instead: its data (default without the others, where there is no ${defaultInventory}: "${defaultCellData}")`,
    )
    .option('--rebuild <command>', 'has the provider of a rented host make $CINQUE_HOST anew')
}

/** Call it before anything else: for a test fleet the process may start itself again. CliError: there is no such fleet. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { cell, fleet, inventory } = options
  if (cell !== undefined && (fleet ?? inventory) !== undefined)
    throw new CliError('--cell excludes --fleet and --inventory', { exitCode: 2 })
  if (fleet !== undefined || inventory !== undefined) return hostFleet(options)
  const hasHosts = cell === undefined && existsSync(defaultInventory)
  if (hasHosts && existsSync(defaultCellData)) {
    throw new CliError(`here are hosts (${defaultInventory}) and a \`cinque dev\` (${defaultCellData})`, {
      exitCode: 2,
      remedy: `Say which are meant: --inventory ${defaultInventory}, or --cell ${defaultCellData}.`,
    })
  }
  return hasHosts
    ? hostFleet({ ...options, inventory: defaultInventory })
    : cellFleet(cell ?? defaultCellData)
}
