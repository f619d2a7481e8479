import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { type Inventory, outside } from '#platform/inventory/inventory.ts'
import { racksOf } from '#platform/inventory/racks.ts'

/** What Puppet is told of a cell: files below `puppet/data/inventory`, by path. Pure. */
function hieraOf(inventory: Inventory): ReadonlyMap<string, unknown> {
  const { cell, dcs, hosts, ports, dns } = inventory
  const files = new Map<string, unknown>([
    [
      'cell.yaml',
      {
        'cinque::cell': cell,
        'cinque::dcs': dcs.map(({ name, number, kind, replicas }) => ({ name, number, kind, replicas })),
        'cinque::hosts': hosts.map(({ name, dc, roles, address, brokers }) => ({
          name,
          dc,
          roles,
          address,
          brokers,
        })),
        'cinque::ports': ports,
        'cinque::inventory': stringify(inventory, { lineWidth: 120, flowCollectionPadding: true }),
        ...(dns === undefined ? {} : { 'cinque::public_url': publicUrlOf(dns, ports) }),
      },
    ],
  ])
  const racks = racksOf(inventory)
  for (const host of hosts) {
    const dc = dcs.find(({ name }) => name === host.dc)
    const { name, roles, address, brokers } = host
    files.set(`host/${name}.yaml`, {
      'cinque::host': {
        name,
        dc: dc?.name ?? outside,
        dc_number: dc?.number ?? 0,
        dc_kind: dc?.kind ?? outside,
        rack: `r${racks.get(name) ?? 1}`,
        roles,
        address,
        brokers,
      },
    })
  }
  return files
}

/** The API's own name, where the cell has one: all of its names lead to the same hosts. */
function publicUrlOf(
  { names, zone }: NonNullable<Inventory['dns']>,
  { https }: Pick<Inventory['ports'], 'https'>,
): string {
  const name = names.find((one) => one === 'api') ?? names[0]
  return new URL(`https://${name}.${zone}:${https}`).origin
}

const header = '# Written by `cinque inventory hiera`.\n'

/** Writes them; those of hosts that are gone do not stay. */
export function writeHiera(inventory: Inventory, directory: string): void {
  const hosts = join(directory, 'host')
  for (const name of existsSync(hosts) ? readdirSync(hosts) : []) {
    const file = join(hosts, name)
    // What others have put there is theirs.
    if (name.endsWith('.yaml') && readFileSync(file, 'utf8').startsWith(header)) rmSync(file)
  }
  for (const [path, values] of hieraOf(inventory)) {
    const file = join(directory, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${header}${stringify(values)}`)
  }
}
