import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type CinqueClient, createClient } from '#client/index.ts'
import { type Host, type Inventory, InventoryError } from '#platform/inventory/inventory.ts'
import { selectHosts } from '#platform/inventory/select.ts'
import { CellDirectory } from '#scripts/cell/directory.ts'
import { askLauncher } from '#scripts/cell/control.ts'
import { agent } from '#scripts/client/connect.ts'
import { CliError } from '#scripts/output.ts'
import { cellHands } from './cell-hands.ts'
import { fleetGates } from './gates/all.ts'
import type { Hands } from './hands.ts'
import { dnsTraffic } from './traffic.ts'

/** What a roll is about: its hosts, who reaches them, and where it is written down. */
export interface Fleet {
  readonly inventory: Inventory
  readonly hands: Hands
  /** Asks any DC. */
  readonly client: CinqueClient
  /** What these hosts run that run one, by release; hosts that do not tell are left out. */
  readonly releases?: (hosts: readonly Host[]) => Promise<ReadonlyMap<string, readonly Host[]>>
  /** The newest release that a schedule may bring to hosts; undefined: there is none. Rejects: its file is not whole. */
  readonly newest?: () => Promise<string | undefined>
}

/** Of a `cinque dev --dcs` that runs. CliError: none runs there. */
export async function cellFleet(data: string): Promise<Fleet> {
  const directory = resolve(data)
  const status = await askLauncher(directory, { do: 'status' })
  const inventory = new CellDirectory(directory).read()
  if (inventory === undefined) throw new CliError(`there is no cell in ${directory}`)
  const client = createClient({
    urls: status.dcs.map(({ http }) => http),
    token: readFileSync(join(directory, 'admin-token'), 'utf8').trim(),
    headers: { 'user-agent': agent },
  })
  const gates = fleetGates({ client, inventory })
  return { inventory, hands: cellHands(directory, dnsTraffic(client, inventory), gates), client }
}

/** Hosts that an expression means, all without one. CliError with exit code 2. */
export function chosenHosts(inventory: Inventory, on: string | undefined): readonly Host[] {
  if (on === undefined) return inventory.hosts
  try {
    return selectHosts(inventory, on)
  } catch (error) {
    if (error instanceof InventoryError)
      throw new CliError(`--on ${error.message}`, { exitCode: 2, cause: error })
    throw error
  }
}
