import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { CellStatus } from '#scripts/cell/cell.ts'
import { askLauncher, type ControlRequest } from '#scripts/cell/control.ts'
import { partKinds } from '#scripts/cell/part.ts'
import { statusLines } from '#scripts/cell/status.ts'
import { defaultCellData } from '#scripts/client/target.ts'
import { wholeNumber } from '#scripts/options.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { addOverrides } from './dc-overrides.ts'

interface DcOptions {
  data: string
  part?: (typeof partKinds)[number]
  host?: string
  json?: true
}

const actions = [
  ['kill', 'kill -9 all processes of a datacenter'],
  ['stop', 'stop a datacenter in good order'],
  ['start', 'start what is down in a datacenter'],
  ['freeze', 'make a datacenter stand still (SIGSTOP): connected, but silent'],
  ['thaw', 'let it go on'],
] as const

/** What is done to single DCs of a running `cinque dev --dcs`. */
export function addDc(program: Command): void {
  const dc = program
    .command('dc')
    .summary('drain datacenters and hosts; kill, stop, cut those of `cinque dev --dcs 5`')
    .description(
      'Drains datacenters and hosts of a running platform, and looks at, kills, stops, starts and cuts off those of a ' +
        'running `cinque dev --dcs 5`.',
    )
  withCell(dc.command('status').description('show all processes of all datacenters')).action(
    async (options: DcOptions) => show(await ask(options, { do: 'status' }), options),
  )
  for (const [action, description] of actions) {
    withCell(dc.command(action).argument('<dc>').description(description))
      .addOption(new Option('--part <kind>', 'only its processes of this kind').choices([...partKinds]))
      .option('--host <name>', 'only those of this host')
      .action(async (name: string, options: DcOptions) => {
        const { part, host } = options
        const asked = { do: 'processes' as const, action, dc: name, part, host }
        show(await ask(options, asked), options, name)
      })
  }
  for (const action of ['cut', 'heal'] as const) {
    const description =
      action === 'cut'
        ? 'let no packets through between a datacenter and all others, or one of them'
        : 'let them through again'
    withCell(dc.command(action).argument('<dc>').argument('[other]').description(description))
      .addOption(new Option('--part <kind>', 'only its checker, from everything').choices(['checker']))
      .action(async (name: string, other: string | undefined, options: DcOptions & { part?: 'checker' }) => {
        const { part } = options
        if (part !== undefined && other !== undefined) {
          throw new CliError('--part checker goes with one datacenter: it is cut off from everything', {
            exitCode: 2,
          })
        }
        show(await ask(options, { do: 'packets', action, dc: name, other, part }), options, name)
      })
  }
  withCell(
    dc
      .command('slow')
      .argument('<dc>')
      .argument('<ms>', 'milliseconds, each way; 0: as before', wholeNumber(0, 10_000))
      .description('let packets between a datacenter and all others take longer'),
  ).action(async (name: string, ms: number, options: DcOptions) =>
    show(await ask(options, { do: 'slow', dc: name, ms }), options, name),
  )
  addOverrides(dc)
}

function withCell(command: Command): Command {
  return command
    .option('--data <dir>', 'data directory of the running cell', defaultCellData)
    .option('--json', 'print JSON')
}

function ask({ data }: DcOptions, asked: ControlRequest): Promise<CellStatus> {
  return askLauncher(resolve(data), asked)
}

function show(status: CellStatus, { json }: DcOptions, only?: string): void {
  const dcs = status.dcs.filter(({ name }) => only === undefined || name === only)
  if (json === true) printJson({ ...status, dcs })
  else for (const line of statusLines({ ...status, dcs })) printLine(line)
}
