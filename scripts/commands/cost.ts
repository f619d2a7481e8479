import { type Command, InvalidArgumentError } from 'commander'
import { type Capacity, capacityFor, type Load } from '#platform/inventory/capacity.ts'
import { type Cost, costOf } from '#platform/inventory/cost.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { wholeNumber } from '#scripts/options.ts'
import { printJson, printLine, table } from '#scripts/output.ts'
import { defaultInventory, inventoryFrom } from './inventory.ts'

interface CostOptions {
  inventory: string
  usd: number
  queries: number
  target: number
  devices?: number
  messages: number
  values: number
  json?: true
}

/** EUR a month that five DCs may cost. */
const target = 125
/** EUR for a USD; exchange rates move by more than a month's bill matters. */
const usdInEur = 0.92

export function addCost(program: Command): void {
  program
    .command('cost')
    .summary('what a cell costs a month, and what a load needs')
    .description(
      'Prints what a cell costs a month, itemised, without VAT: the prices of the inventory, and Route 53 by its price list.\n' +
        'With --devices: how many hosts such a load needs in these DCs, by the figures of docs/scale.md.',
    )
    .option('--inventory <file>', 'the inventory', defaultInventory)
    .option('--usd <rate>', 'EUR for one USD', positive, usdInEur)
    .option('--queries <millions>', 'DNS questions a month at Route 53, in millions', positive, 1)
    .option('--target <eur>', 'what it may cost a month', positive, target)
    .option('--devices <count>', 'devices connected at the same time', wholeNumber(1, 1_000_000_000))
    .option('--messages <rate>', 'messages a second that are queued for somebody', positive, 100)
    .option('--values <rate>', 'telemetry values a second', positive, 1000)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque cost --inventory cell.yaml --devices 50000 --messages 500')
    .action((options: CostOptions) => {
      const inventory = inventoryFrom(options.inventory)
      const cost = costOf(inventory, options)
      const { devices, messages, values } = options
      const load = devices === undefined ? undefined : { devices, messages, values }
      const needed = load && capacityFor(load, inventory)
      if (options.json === true) {
        printJson({ ...cost, target: options.target, within: cost.total <= options.target, load, needed })
        return
      }
      for (const line of billLines(cost, options.target)) printLine(line)
      if (load && needed) for (const line of needLines(load, needed, inventory)) printLine(line)
    })
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0 && value <= 1e9) return value
  throw new InvalidArgumentError('Expected a number above 0.')
}

function billLines({ items, total, unpriced }: Cost, most: number): string[] {
  const money = (value: number): string => value.toFixed(2).padStart(7)
  const rows = items.map(({ where, what, count, each, total: sum }) => [
    where,
    what,
    String(count),
    money(each),
    money(sum),
  ])
  const verdict = total <= most ? 'within' : 'ABOVE'
  return [
    ...table(['WHERE', 'WHAT', 'COUNT', 'EACH', 'EUR A MONTH'], rows),
    `${total.toFixed(2)} EUR a month without VAT: ${verdict} the target of ${most.toFixed(2)}`,
    ...(unpriced.length === 0 ? [] : [`not in it, as they have no price: ${unpriced.join(', ')}`]),
  ]
}

function needLines(load: Load, needed: Capacity, { dcs, hosts }: Inventory): string[] {
  const { cells, appsPerLiveDc, appsPerBackupDc, dbsPerLiveDc, dbsPerBackupDc } = needed
  const has = hosts.filter(({ roles }) => roles.includes('app') || roles.includes('db')).length
  const of = (kind: 'live' | 'backup'): number => dcs.filter((dc) => dc.kind === kind).length
  return [
    '',
    `${load.devices} devices, ${load.messages} messages/s to queues, ${load.values} values/s, on hosts of 2 vCPU and 4 GB:`,
    ...table(
      ['', 'DCS', 'APP HOSTS EACH', 'DB HOSTS EACH'],
      [
        ['live', String(of('live')), String(appsPerLiveDc), String(dbsPerLiveDc)],
        ['backup', String(of('backup')), String(appsPerBackupDc), String(dbsPerBackupDc)],
      ],
    ),
    `${needed.hosts} hosts${cells === 1 ? '' : ` in ${cells} cells`}; this inventory has ${has}; bound by: ${needed.bound}`,
  ]
}
