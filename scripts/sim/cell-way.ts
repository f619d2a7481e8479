import { readFileSync } from 'node:fs'
import { CellDirectory } from '#scripts/cell/directory.ts'
import { cellNames } from '#scripts/cell/names.ts'
import { CliError } from '#scripts/output.ts'
import type { Way } from './dial.ts'
import { StubResolver } from './stub-resolver.ts'

/** How devices find the brokers of a cell on this machine: by name, over TLS. CliError: nobody answers for names there. */
export function cellWay(data: string): Way {
  const directory = new CellDirectory(data)
  const inventory = directory.read()
  const names = inventory === undefined ? null : cellNames(inventory)
  if (inventory === undefined || names === null)
    throw new CliError(`--resolve: nobody answers for names in ${directory.path}`, {
      remedy: 'Start a cell with name servers: cinque dev --dcs 5. Others: --name-server ADDRESS.',
    })
  return {
    url: `mqtts://${names.mqtt}:${inventory.ports.mqtts}`,
    resolver: new StubResolver({ servers: names.nameServers }),
    ca: readFileSync(directory.place('pki', 'ca.pem')),
  }
}
