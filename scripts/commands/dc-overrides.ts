import { type Command, InvalidArgumentError } from 'commander'
import type { CinqueClient } from '#client/index.ts'
import { type Inventory, InventoryError } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { CellDirectory, isCell } from '#scripts/cell/directory.ts'
import { connect } from '#scripts/client/connect.ts'
import { standingsOf } from '#scripts/client/standings.ts'
import { defaultCellData, type TargetOptions, withTarget } from '#scripts/client/target.ts'
import { wholeNumber } from '#scripts/options.ts'
import { CliError, printJson, printLine, table } from '#scripts/output.ts'

interface Options extends TargetOptions {
  reason: string
  for?: number
  percent?: number
  inventory?: string
  force?: true
  json?: true
}
type Word = Awaited<ReturnType<typeof inForce>>[number]

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** What people say about datacenters and hosts, which wins over checkers: docs/votes.md. */
export function addOverrides(dc: Command): void {
  change(dc, 'drain', 'take a datacenter or host out of DNS until it is given back').action(
    async (name: string, options: Options) => {
      const client = clientFor(options)
      await gate(client, name, options)
      await put(client, name, { action: 'out' }, options)
    },
  )
  change(dc, 'keep', 'keep a datacenter or host in DNS whatever checkers say').action(
    async (name: string, options: Options) => put(clientFor(options), name, { action: 'in' }, options),
  )
  change(dc, 'weight', 'give a datacenter or host a part of its own share of new connections')
    .requiredOption('--percent <n>', '0 to 100; 0 is out', wholeNumber(0, 100))
    .action(async (name: string, options: Options) => {
      const client = clientFor(options)
      if (options.percent === 0) await gate(client, name, options)
      await put(client, name, { action: 'weight', percent: options.percent }, options)
    })
  withTarget(
    dc.command('undrain').argument('<name>').description('take back what was said; checkers decide again'),
  ).action(async (name: string, options: Options) => {
    await clientFor(options).delete('/v1/overrides/{subject}', { params: { path: { subject: name } } })
    if (options.json === true) printJson({ undrained: name })
    else printLine(`undrained ${name}; it comes back by steps`)
  })
  withTarget(dc.command('overrides').description('what people said that is in force')).action(
    async (options: Options) => {
      const words = await inForce(clientFor(options))
      if (options.json === true) printJson({ overrides: words })
      else for (const line of linesOf(words)) printLine(line)
    },
  )
}

function change(dc: Command, name: string, description: string): Command {
  return withTarget(
    dc
      .command(name)
      .argument('<name>', 'datacenter or host')
      .description(description)
      .option('--reason <text>', 'why; anybody may see it on the status page', 'by hand')
      .option('--for <time>', 'as 30m, 2h, 1d (default: until it is taken back)', duration)
      .option(
        '--inventory <file>',
        'what names there are (default: that of the `cinque dev --dcs` in --data)',
      )
      .option('--force', 'also the last one, or a second one'),
  )
}

/** Where a `cinque dev --dcs` has its data here it is meant, as with the other commands of `cinque dc`. */
function clientFor(options: Options): CinqueClient {
  const told = [
    options.url,
    options.context,
    options.data,
    options.dc,
    process.env.CINQUE_URL,
    process.env.CINQUE_CONTEXT,
  ]
  const here = told.every((one) => one === undefined) && isCell(defaultCellData)
  return connect(here ? { ...options, data: defaultCellData } : options)
}

async function inForce(client: CinqueClient) {
  return (await client.get('/v1/overrides')).items
}

async function put(
  client: CinqueClient,
  subject: string,
  word: { action: Word['action']; percent?: number | undefined },
  options: Options,
): Promise<void> {
  const { reason, for: ms, json } = options
  const inventory = inventoryOf(options)
  if (inventory !== undefined) gateKnown(inventory, subject)
  const stored = await client.put('/v1/overrides/{subject}', {
    params: { path: { subject } },
    body: {
      action: word.action,
      reason,
      ...(word.percent === undefined ? {} : { percent: word.percent }),
      ...(ms === undefined ? {} : { expires_at: new Date(Date.now() + ms).toISOString() }),
    },
  })
  if (json === true) printJson(stored)
  else for (const line of linesOf([stored])) printLine(line)
}

/** CliError, unless forced: nothing would be left, or something is out already. */
async function gate(client: CinqueClient, name: string, options: Options): Promise<void> {
  if (options.force === true) return
  const out = (await inForce(client)).filter((word) => word.subject !== name && isOut(word))
  const inventory = inventoryOf(options)
  if (inventory === undefined) {
    const other = out.at(0)
    if (other !== undefined)
      throw refused(`${other.subject} is out already (${other.owner}: ${other.reason})`)
    return
  }
  gateKnown(inventory, name)
  const of = inventory.hosts.find((host) => host.name === name)?.dc
  if (of !== undefined) {
    const left = inventory.hosts.filter(
      (host) =>
        host.dc === of &&
        host.roles.includes('app') &&
        host.name !== name &&
        !out.some(({ subject }) => subject === host.name),
    )
    if (left.length === 0) throw refused(`${name} is the last host of ${of} that is in`)
    return
  }
  const other = out.find(({ subject }) => inventory.dcs.some((dc) => dc.name === subject))
  if (other !== undefined) throw refused(`${other.subject} is out already (${other.owner}: ${other.reason})`)
  const away = await votedOut(inventory)
  const rest = inventory.dcs.filter((dc) => dc.kind === 'live' && dc.name !== name && !away.has(dc.name))
  if (rest.length === 0) throw refused(`${name} is the last live datacenter that is in`)
}

function refused(message: string): CliError {
  return new CliError(message, { remedy: 'Give that one back first (`cinque dc undrain NAME`), or --force.' })
}

function isOut({ action, percent }: Word): boolean {
  return action === 'out' || percent === 0
}

function gateKnown({ dcs, hosts }: Inventory, name: string): void {
  const names = [...dcs, ...hosts.filter(({ roles }) => roles.includes('app'))].map((one) => one.name)
  if (!names.includes(name))
    throw new CliError(`there is no datacenter or host ${name}; there are ${names.join(', ')}`, {
      exitCode: 2,
    })
}

/** Undefined: it is not known here. */
function inventoryOf({ inventory: file, data, url, context }: Options): Inventory | undefined {
  try {
    if (file !== undefined) return loadInventory(file)
  } catch (error) {
    if (error instanceof InventoryError) throw new CliError(error.message, { exitCode: 2, cause: error })
    throw error
  }
  const directory = data ?? defaultCellData
  const elsewhere =
    data === undefined && (url !== undefined || context !== undefined || process.env.CINQUE_URL !== undefined)
  return !elsewhere && isCell(directory) ? new CellDirectory(directory).read() : undefined
}

/** Datacenters that are not in DNS now, as the first checker says that answers; none, if none does. */
async function votedOut({ hosts, ports }: Inventory): Promise<ReadonlySet<string>> {
  const urls = hosts
    .filter(({ roles }) => roles.includes('checker'))
    .map(({ address }) => `http://${address.includes(':') ? `[${address}]` : address}:${ports.checker}`)
  const { subjects = [] } = (await standingsOf(urls)) ?? {}
  return new Set(subjects.filter(({ serving }) => !serving).map(({ subject }) => subject))
}

function linesOf(words: readonly Word[]): readonly string[] {
  if (words.length === 0) return ['nobody has said anything: checkers decide']
  const rows = words.map(({ subject, action, percent, owner, reason, expires_at: end }) => [
    subject,
    percent === null ? action : `${percent} %`,
    end ?? 'until it is taken back',
    owner,
    reason,
  ])
  return table(['NAME', 'IS', 'UNTIL', 'BY', 'WHY'], rows)
}

function duration(text: string): number {
  const [, number, unit] = /^(\d{1,5})([smhd])$/.exec(text) ?? []
  if (unit === undefined || Number(number) === 0)
    throw new InvalidArgumentError('Expected a time, as 30m, 2h or 1d.')
  return Number(number) * unitMs[unit]
}
