import { existsSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { untilInterrupted } from '#scripts/lifecycle.ts'
import { CliError, plain, printJson, printLine, table } from '#scripts/output.ts'
import { type HostsOptions, openHosts, withHosts } from '#scripts/remote/hosts.ts'
import { chosenHosts } from '#scripts/roll/fleet.ts'

interface DiagnoseOptions extends HostsOptions {
  on?: string
  since: string
  out?: string
  json?: true
}

export function addDiagnose(program: Command): void {
  withHosts(
    program
      .command('diagnose')
      .summary('a file with all that helps to find out what is wrong, without secrets')
      .description(
        'Makes a file for whoever is to find out what is wrong: what `cinque status` says, and of each host its services,\n' +
          'network, configuration, figures and journals. Secrets are taken out on the host, and once more here.',
      )
      .addHelpText(
        'after',
        "\nExample:\n  cinque diagnose --on dc01 --since '2026-11-21 04:00' --out incident-17.tar.gz",
      ),
  )
    .option('--on <hosts>', "only these: 'dc01 & role=app'")
    .option('--since <time>', 'of journals, as `journalctl --since` takes it', '-2h')
    .option('--out <file>', 'default: diagnose-CELL-TIME.tar.gz')
    .action(run)
}

async function run(options: DiagnoseOptions): Promise<void> {
  const { on, since, json = false } = options
  const { inventory, remote } = openHosts(options)
  const hosts = chosenHosts(inventory, on)
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const file = options.out ?? `diagnose-${inventory.cell}-${time}.tar.gz`
  if (existsSync(file)) throw new CliError(`--out ${file} is there already`, { exitCode: 2 })
  const [{ lookTwice }, { diagnose }, { askCheckers }] = await Promise.all([
    import('#scripts/remote/cell-look.ts'),
    import('#scripts/remote/diagnose.ts'),
    import('#scripts/roll/standings.ts'),
  ])
  const done = await untilInterrupted(async (signal) => {
    const [look, standings] = await Promise.all([
      lookTwice(remote, inventory, hosts, signal),
      askCheckers(inventory, signal),
    ])
    return diagnose(remote, { cell: { ...look, standings }, since, file, signal })
  })
  if (json) printJson({ file, bytes: statSync(file).size, hosts: done })
  else {
    const rows = done.map(({ host, bytes, failure }) => [
      host,
      `${(bytes / 1_048_576).toFixed(1)} MB`,
      plain(failure ?? ''),
    ])
    for (const line of table(['HOST', 'SIZE', 'WHY'], rows)) printLine(line)
    printLine(`${file}: ${(statSync(file).size / 1_048_576).toFixed(1)} MB`)
  }
  const bad = done.filter(({ failure }) => failure !== null).length
  if (bad > 0) throw new CliError(`not all of ${bad} of ${done.length} hosts`)
}
