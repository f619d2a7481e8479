import { spawnSync } from 'node:child_process'
import { type Command, Option } from 'commander'
import { defaultFleet, FleetDirectory } from '#scripts/fleet/directory.ts'
import { fleetInventory, type FleetSize, fleetSizes, valuesOf } from '#scripts/fleet/inventory.ts'
import type { Fleet } from '#scripts/fleet/fleet.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { CliError, printJson, printLine, table } from '#scripts/output.ts'
import { inventoryFrom } from './inventory.ts'

interface FleetCommandOptions {
  data: string
  json?: true
}

interface UpOptions extends FleetCommandOptions {
  size?: FleetSize
  inventory?: string
  debian?: '12' | '13'
}

/** Real hosts on this machine, for tests and for trying things out. */
export function addFleet(program: Command): void {
  const group = program
    .command('fleet')
    .summary('boot a whole fleet of real hosts on this machine (root, Debian)')
    .description(
      'Real Debian hosts on this machine: systemd in containers, a network for each DC with the delay of the distance between\n' +
        'them, memory and processor limits of cheap hosts; made what they are to be by Puppet over ssh, as any host is.',
    )
  withData(group, 'up', 'boot the hosts, run Puppet, make the schema, wait until they serve')
    .addOption(
      new Option(
        '--size <size>',
        'one: a single host (default); small: one in each of five DCs; full: 11 hosts; whole: 4 hosts with checkers, name servers, Prometheus, backups, operators',
      ).choices(fleetSizes),
    )
    .option('--inventory <file>', 'these hosts instead, with addresses 10.60.DC.HOST')
    .addOption(new Option('--debian <version>', 'what the hosts have (default: 12)').choices(['12', '13']))
    .action(async (options: UpOptions) => {
      ensureDirectory(options)
      const fleet = await open(options)
      await fleet.up()
      await show(fleet, options)
    })
  withData(group, 'status', 'show the hosts: state, memory, processor, services').action(
    async (options: FleetCommandOptions) => show(await open(options), options),
  )
  withData(group, 'apply', 'run Puppet again')
    .argument('[hosts...]', 'these hosts; default: all')
    .option('--dry-run', 'say what would change, and change nothing')
    .option('--verbose', "print Puppet's own words")
    .action(
      async (names: string[], options: FleetCommandOptions & { dryRun?: boolean; verbose?: boolean }) => {
        const fleet = await open(options)
        await fleet.prepare()
        const hosts = names.length === 0 ? fleet.inventory.hosts : names.map((name) => fleet.host(name))
        const onLine = (host: string, line: string): void => printLine(`${host}: ${line}`)
        const applied = await fleet.apply(hosts, {
          dryRun: options.dryRun === true,
          ...(options.verbose === true ? { onLine } : {}),
        })
        if (options.json === true) printJson({ applied })
      },
    )
  withData(group, 'reinstall', "throw a host's disk away, boot it and run Puppet")
    .argument('<host>')
    .action(async (name: string, options: FleetCommandOptions) => {
      const fleet = await open(options)
      const host = fleet.host(name)
      await fleet.prepare({ sameRelease: true })
      const applied = await fleet.reinstall(host)
      if (host.roles.includes('db')) await fleet.joined(host)
      if (host.roles.includes('app')) await fleet.serves([host])
      if (options.json === true) printJson(applied)
    })
  withData(group, 'exec', 'run a shell command on a host; its exit code is ours')
    .argument('<host>')
    .argument('<command...>')
    .action(async (name: string, command: string[], options: FleetCommandOptions) => {
      const fleet = await open(options)
      const { code, stdout, stderr } = await fleet.run(fleet.host(name), command.join(' '))
      if (options.json === true) printJson({ code, stdout, stderr })
      else {
        process.stdout.write(stdout)
        process.stderr.write(stderr)
      }
      process.exitCode = code
    })
  withData(group, 'ssh', 'open a session on a host')
    .argument('<host>')
    .action(async (name: string, options: FleetCommandOptions) => {
      const fleet = await open(options)
      const [ssh, ...args] = fleet.session(fleet.host(name))
      process.exitCode = spawnSync(ssh, args, { stdio: 'inherit' }).status ?? 1
    })
  for (const verb of ['cut', 'heal'] as const) {
    const what = verb === 'cut' ? 'let no packets through between two DCs' : 'let them through again'
    withData(group, verb, what)
      .argument('<dc>')
      .argument('<other>')
      .action(async (a: string, b: string, options: FleetCommandOptions) => {
        const fleet = await open(options)
        await fleet.network.cut(pairOf(fleet, a, b), verb === 'cut')
      })
  }
  withData(group, 'lose', 'lose some packets between two DCs; 0 percent: none any more')
    .argument('<dc>')
    .argument('<other>')
    .argument('<percent>', 'of a hundred packets, each way')
    .action(async (a: string, b: string, text: string, options: FleetCommandOptions) => {
      const percent = Number(text)
      if (!(percent >= 0 && percent < 100)) {
        throw new CliError(
          `percent "${text}": must be from 0 to less than 100; all of them: cinque fleet cut`,
          {
            exitCode: 2,
          },
        )
      }
      const fleet = await open(options)
      await fleet.network.lose(pairOf(fleet, a, b), percent)
    })
  withData(group, 'down', 'power the hosts off')
    .option('--wipe', 'and throw their disks away')
    .action(async (options: FleetCommandOptions & { wipe?: boolean }) => {
      await (await open(options)).down(options.wipe === true)
    })
}

/** Makes a fleet's directory; one that is there has to be what is asked for. */
function ensureDirectory({ data, size, inventory: file, debian }: UpOptions): void {
  const directory = new FleetDirectory(data)
  if (!directory.exists) {
    const [inventory, values] =
      file === undefined
        ? [fleetInventory(size ?? 'one'), valuesOf(size ?? 'one')]
        : [inventoryFrom(file), {}]
    directory.create(inventory, debian === '13' ? 13 : 12, values)
    return
  }
  const wanted = file === undefined ? size && fleetInventory(size) : inventoryFrom(file)
  const names = ({ hosts }: Inventory): string => hosts.map(({ name }) => name).join(', ')
  const has = directory.inventory()
  const isOther =
    (wanted !== undefined && names(wanted) !== names(has)) ||
    (debian !== undefined && Number(debian) !== directory.debian)
  if (!isOther) return
  throw new CliError(
    `the fleet in ${directory.path} is another one: ${names(has)}, Debian ${directory.debian}`,
    {
      exitCode: 2,
      remedy:
        'Name another directory: --data DIR; or take that one away: cinque fleet down --wipe, and its directory.',
    },
  )
}

function withData(parent: Command, verb: string, description: string): Command {
  const example = ['exec'].includes(verb) ? ' dc01-n1 systemctl --failed' : ''
  const host = ['reinstall', 'ssh'].includes(verb) ? ' dc01-n1' : ''
  const pair = ['cut', 'heal', 'lose'].includes(verb) ? ' dc01 dc03' : ''
  const percent = verb === 'lose' ? ' 2' : ''
  return parent
    .command(verb)
    .description(`${description.charAt(0).toUpperCase()}${description.slice(1)}.`)
    .summary(description)
    .option('--data <dir>', 'directory of the fleet', defaultFleet)
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  cinque fleet ${verb}${example}${host}${pair}${percent}`)
}

async function open({ data, json }: FleetCommandOptions): Promise<Fleet> {
  const { Fleet: TestFleet } = await import('#scripts/fleet/fleet.ts')
  const { stderrLogger } = await import('#scripts/run/logger.ts')
  const { Metrics } = await import('#platform/metrics.ts')
  const started = performance.now()
  const say = (line: string): void => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    if (json !== true) printLine(`${seconds.padStart(6)} s  ${line}`)
  }
  return TestFleet.open({ directory: data, log: stderrLogger('warn', new Metrics()), say })
}

function pairOf(fleet: Fleet, a: string, b: string): readonly [number, number] {
  const [low, high] = [numberOf(fleet, a), numberOf(fleet, b)].toSorted((one, two) => one - two)
  if (low === high) throw new CliError('these must be two different DCs', { exitCode: 2 })
  return [low, high]
}

function numberOf({ inventory }: Fleet, dc: string): number {
  const found = inventory.dcs.find(({ name }) => name === dc)
  if (found !== undefined) return found.number
  const names = inventory.dcs.map(({ name }) => name).join(', ')
  throw new CliError(`there is no DC "${dc}"; the DCs are ${names}`, { exitCode: 2 })
}

async function show(fleet: Fleet, { json }: FleetCommandOptions): Promise<void> {
  const hosts = await fleet.status()
  if (json === true) {
    printJson({ hosts, cuts: fleet.network.cuts(), losses: fleet.network.losses() })
    return
  }
  const rows = hosts.map(({ name, roles, address, state, memory, cpuSeconds, units }) => [
    name,
    roles.join(','),
    address,
    state,
    `${Math.round(memory / 1_048_576)} MB`,
    `${cpuSeconds.toFixed(0)} s`,
    units.join(' '),
  ])
  for (const line of table(['HOST', 'ROLES', 'ADDRESS', 'STATE', 'MEMORY', 'CPU', 'SERVICES'], rows))
    printLine(line)
}
