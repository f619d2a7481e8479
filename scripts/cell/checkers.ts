import { join } from 'node:path'
import { stringify } from 'yaml'
import { createClient } from '#client/index.ts'
import { provision } from '#healthcheck/checker/provision.ts'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import type { CellDirectory } from './directory.ts'
import { launch } from './launch.ts'
import { dnsPort } from './names.ts'
import { cinqueProcess } from './node-process.ts'
import { Part, type PartOptions } from './part.ts'
import { placesFile } from './places.ts'

export interface CheckerPartsOptions {
  readonly inventory: Inventory
  readonly directory: CellDirectory
  /** Group of a DC's checker by the DC's number, or that of this process. */
  readonly groupOf: (dc: number) => number | undefined
  readonly part: (host: Host, name: string, kind: 'checker', at: string) => Omit<PartOptions, 'launch'>
}

const readyMs = 60_000
const organisation = 'healthcheck'

/** The checkers of the cell, to be started when `provisionCheckers` has made what they need. */
export function checkerParts({ inventory, directory, groupOf, part }: CheckerPartsOptions): Part[] {
  return inventory.hosts
    .filter(({ roles }) => roles.includes('checker'))
    .map((host) => {
      const { number } = inventory.dcs.find(({ name }) => name === host.dc) ?? { number: 0 }
      const at = `${host.address}:${inventory.ports.checker}`
      const options = part(host, host.name, 'checker', at)
      return new Part({
        ...options,
        launch: () =>
          launch({
            ...cinqueProcess(['healthcheck', '--config', configOf(directory, host)]),
            log: options.log,
            readyLine: /^ready /m,
            readyMs,
            gid: groupOf(number),
          }),
      })
    })
}

/** Makes devices, keys, certificates and the configuration of all checkers, or checks that they are good. APIs must run. */
export async function provisionCheckers(
  { inventory, directory }: Pick<CheckerPartsOptions, 'inventory' | 'directory'>,
  { url, token, caFile }: { url: string; token: string; caFile: string },
): Promise<void> {
  const places = directory.write(['config', 'places'], placesFile(inventory))
  await provision({
    admin: createClient({ url, token }),
    clientOf: (credential) => createClient({ url, ...credential }),
    inventory,
    inventoryFile: directory.write(['config', 'inventory.yaml'], stringify(inventory)),
    directory: directory.place('checkers'),
    organisation,
    probe: { ca_file: caFile },
    config: ({ address }) => ({ dns: { listen: `${address}:${dnsPort}`, places_file: places } }),
  })
}

function configOf({ path }: CellDirectory, { name }: Host): string {
  return join(path, 'checkers', name, 'checker.yaml')
}
