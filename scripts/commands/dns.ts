import type { Command } from 'commander'
import type { ApplyOptions, PlanOptions } from '#scripts/dns/apply.ts'
import type { GdnsdCommandOptions } from '#scripts/dns/gdnsd.ts'
import type { EvaluateOptions } from '#scripts/dns/evaluate.ts'
import type { StatusOptions } from '#scripts/dns/status.ts'
import { clientPlace } from '#scripts/dns/place.ts'
import { wholeNumber } from '#scripts/options.ts'

/** The names of a cell in Route 53. The SDK is only loaded by what needs it. */
export function addDns(program: Command): void {
  const dns = program
    .command('dns')
    .summary('the names of a cell: plan and apply them in Route 53, ask who gets which address')
    .description('The names of a cell in Route 53, made from its inventory.')
  withZone(dns.command('plan').description('show what differs between the inventory and the zone'))
    .option('--adopt', "plan to take over someone else's records where ours must be")
    .option('--check', 'exit with 1 if there is anything to do')
    .addHelpText('after', '\nExample:\n  cinque dns plan --inventory cell.yaml --secret-file secret')
    .action(async (options: PlanOptions) => {
      const { runPlan } = await import('#scripts/dns/apply.ts')
      await runPlan(options)
    })
  withZone(
    dns
      .command('apply')
      .summary('make the zone as the inventory says')
      .description(
        'Makes the zone as the inventory says: health checks first, then all records in one batch. Shows the plan and\n' +
          'asks; without a terminal, or with CI set, it changes nothing unless --yes.',
      ),
  )
    .option('--adopt', "take over someone else's records where ours must be")
    .option('--yes', 'do not ask')
    .option(
      '--force <percent>',
      'that so many percent of what is ours change: as plan says',
      wholeNumber(1, 100),
    )
    .option(
      '--settle <seconds>',
      'for new calculated checks, before records depend on them',
      wholeNumber(0, 600),
      60,
    )
    .addHelpText('after', '\nExample:\n  cinque dns apply --inventory cell.yaml --secret-file secret')
    .action(async (options: ApplyOptions) => {
      const { runApply } = await import('#scripts/dns/apply.ts')
      await runApply(options)
    })
  withZone(dns.command('status').description('show the zone, its health checks and what it costs'))
    .option('--queries <millions>', 'a month, for the cost', wholeNumber(0, 1_000_000))
    .addHelpText('after', '\nExample:\n  cinque dns status --inventory cell.yaml --secret-file secret')
    .action(async (options: StatusOptions) => {
      const { runStatus } = await import('#scripts/dns/status.ts')
      await runStatus(options)
    })
  withZone(
    dns
      .command('evaluate')
      .summary('say which addresses a client at a place gets')
      .description(
        "Says which addresses a client at a place gets while some DCs or hosts are down, by Route 53's rules: of the\n" +
          'inventory, without AWS; or with --live of what is in the zone, with the health that Route 53 sees.',
      ),
  )
    .requiredOption('--from <place>', 'continent, and perhaps country: EU, EU/DE', clientPlace)
    .option('--name <name>', 'what is asked for (default: the first of `dns.names`)')
    .option('--down <list>', 'DCs and hosts that are down, as dc03,dc01-app1', listOf, [])
    .option('--live', 'ask the zone in Route 53 instead of the inventory')
    .addHelpText('after', '\nExample:\n  cinque dns evaluate --inventory cell.yaml --from EU/DE --down dc03')
    .action(async (options: EvaluateOptions) => {
      const { runEvaluate } = await import('#scripts/dns/evaluate.ts')
      await runEvaluate(options)
    })
  dns
    .command('gdnsd')
    .summary("write gdnsd's configuration, for name servers of one's own")
    .description(
      'Writes the configuration directory of gdnsd 3.8: the same names and answers without Route 53. A checker beside\n' +
        'it tells it who is up (`gdnsd.states_file` of its configuration); docs/dns.md.',
    )
    .requiredOption('--inventory <file>', 'the inventory of the cell, with `dns`')
    .requiredOption('--out <directory>', 'where the files go, as /etc/gdnsd')
    .option('--listen <list>', 'addresses, as 192.0.2.1,[2001:db8::1]:53 (default: all, port 53)', listOf)
    .option('--places <file>', 'networks and where they are, as the checkers have')
    .option('--geoip2 <file>', 'path of a GeoIP2 or GeoLite2 database on that host')
    .option('--run-dir <directory>', "gdnsd's run directory, where it is not its own")
    .option('--state-dir <directory>', "gdnsd's state directory, where it is not its own")
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample:\n  cinque dns gdnsd --inventory cell.yaml --out /etc/gdnsd --places places',
    )
    .action(async (options: GdnsdCommandOptions) => {
      const { runGdnsd } = await import('#scripts/dns/gdnsd.ts')
      runGdnsd(options)
    })
}

function listOf(text: string): readonly string[] {
  return text.split(',').filter((one) => one !== '')
}

function withZone(command: Command): Command {
  return command
    .requiredOption('--inventory <file>', 'the inventory of the cell, with `dns`')
    .option('--secret-file <file>', 'file with the secret part of the paths at which Route 53 asks checkers')
    .option('--host-checks', 'health checks for single hosts as well; each costs')
    .option('--zone-id <id>', 'of the hosted zone (default: the one whose name is `dns.zone`)')
    .option('--endpoint <url>', "another address of Route 53's API, as an emulator's")
    .option('--context <name>', 'platform whose overrides (`cinque dc weight`) count')
    .option('--url <url>', 'its REST address')
    .option('--token <token>', 'its API token')
    .option('--no-overrides', 'do not ask for overrides')
    .option('--json', 'print JSON')
}
