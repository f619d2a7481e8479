import type { Server } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { type DevCell, devInventory, devNet } from '#platform/inventory/dev.ts'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { CliError } from '#scripts/output.ts'
import type { CellOptions } from './cell.ts'
import { bornFile, type CellDirectory } from './directory.ts'
import { takeNet } from './preflight.ts'

/** Nets that are tried for a new cell. */
const nets = 20

/** What the cell is made of, its addresses taken for this process. */
export async function claim(
  directory: CellDirectory,
  options: CellOptions,
): Promise<{ inventory: Inventory; guard: Server }> {
  const kept = directory.read()
  if (kept !== undefined) {
    // A first start that did not get to its end has stored nothing: what is asked for now counts.
    const born = directory.has(bornFile)
    const net = netOf(kept)
    if (born || (options.net ?? net) !== net) checkSame(kept, options)
    const guard = await takeNet(net)
    if (guard !== undefined) {
      const inventory = born ? withCheckers(kept, options) : devInventory(shapeOf(options, { net }))
      if (inventory !== kept) directory.create(inventory)
      return { inventory, guard }
    }
    throw new CliError(`a cell with the addresses 127.${netOf(kept)}.x.x runs already`, {
      remedy:
        'Is it this one? `cinque dc status` shows it. Another cell beside it: --data with a new directory.',
    })
  }
  const { net: wanted } = options
  for (const net of wanted === undefined ? Array.from({ length: nets }, (_, at) => devNet + at) : [wanted]) {
    const guard = await takeNet(net)
    if (guard === undefined) continue
    const inventory = devInventory(shapeOf(options, { net }))
    directory.create(inventory)
    return { inventory, guard }
  }
  throw new CliError('other cells have all addresses', {
    remedy: 'Stop one of them; other addresses: --net.',
  })
}

/** A cell keeps the hosts that its data are on; checkers come and go. */
function checkSame(kept: Inventory, options: CellOptions): void {
  const wanted = devInventory(shapeOf(options, shapeOfKept(kept)))
  if (isDeepStrictEqual([serving(wanted), wanted.ports], [serving(kept), kept.ports])) return
  throw new CliError(
    'the cell in this directory was made with other --dcs, --full, --apps, --brokers, --net or ports',
    {
      remedy: 'Leave these out to start it as it was made; a new one: --data with a new directory.',
      exitCode: 2,
    },
  )
}

/** The kept cell with the checkers that are asked for. */
function withCheckers(kept: Inventory, options: CellOptions): Inventory {
  const wanted = devInventory(shapeOf(options, shapeOfKept(kept)))
  const checkers = wanted.hosts.filter(isChecker)
  if (checkers.length === kept.hosts.filter(isChecker).length) return kept
  const { dns, health } = wanted
  const named = dns === undefined ? {} : { dns, health }
  return { ...kept, ...named, hosts: [...serving(kept), ...checkers] }
}

function isChecker({ roles }: Host): boolean {
  return roles.includes('checker')
}

function serving({ hosts }: Inventory): Host[] {
  return hosts.filter((host) => !isChecker(host))
}

function shapeOfKept(kept: Inventory): DevCell {
  const { dcs, hosts, ports } = kept
  const ofFirst = (role: 'db' | 'app'): number =>
    hosts.filter(({ dc, roles }) => dc === dcs[0].name && roles.includes(role)).length
  return {
    dcs: dcs.length,
    full: ofFirst('db') > 1,
    apps: ofFirst('app'),
    brokers: hosts[0].brokers,
    checkers: hosts.some(isChecker),
    net: netOf(kept),
    mqttPort: ports.mqtt,
    httpPort: ports.http,
  }
}

function shapeOf(options: CellOptions, otherwise: DevCell): DevCell {
  return {
    dcs: options.dcs ?? otherwise.dcs,
    full: options.full ?? otherwise.full,
    apps: options.appsPerDc ?? otherwise.apps,
    brokers: options.brokersPerHost ?? otherwise.brokers,
    checkers: options.checkers ?? otherwise.checkers,
    health: options.health,
    net: options.net ?? otherwise.net,
    mqttPort: options.mqttPort ?? otherwise.mqttPort,
    httpPort: options.httpPort ?? otherwise.httpPort,
  }
}

/** Second number of its loopback addresses. */
export function netOf({ hosts }: Inventory): number {
  return Number(hosts[0].address.split('.')[1])
}
