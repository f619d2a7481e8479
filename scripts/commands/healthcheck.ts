import { resolve } from 'node:path'
import type { Command } from 'commander'
import { checkerConfig } from '#healthcheck/checker/config.ts'
import { type TargetOptions, withTarget } from '#scripts/client/target.ts'
import { configHelp } from '#scripts/config/help.ts'
import { loadConfig } from '#scripts/config/load.ts'
import { collect } from '#scripts/options.ts'
import { CliError } from '#scripts/output.ts'

interface HealthcheckOptions {
  config?: string
  set?: string[]
  json?: true
}

interface ProvisionCommandOptions extends TargetOptions {
  inventory: string
  inventoryAt?: string
  directory: string
  json?: true
}

/** A vantage point: looks at all hosts as a device and as a user. */
export function addHealthcheck(program: Command): void {
  const healthcheck = program
    .command('healthcheck')
    .summary('run a checker, which looks at all hosts as a device and as a user')
    .description(
      'Runs a checker in the foreground: it looks at all hosts as a device and as a user, votes with the others, and\n' +
        'answers DNS. Prints `ready URL NAME`. SIGTERM or SIGINT: ends with 0.',
    )
    .option('--config <file>', 'its configuration in YAML or JSON')
    .option('--set <path=value>', 'one key of it, value in YAML (repeatable)', collect)
    .option('--json', 'print JSON')
    .addHelpText('after', () => `\n${configHelp(checkerConfig)}`)
    .action(async ({ config: file, set: sets = [], json }: HealthcheckOptions) => {
      if (file === undefined) {
        const remedy = '`cinque healthcheck provision` makes one.'
        throw new CliError('--config FILE is missing', { exitCode: 2, remedy })
      }
      const { config } = loadConfig(checkerConfig, { file, sets })
      const { runHealthcheck } = await import('#scripts/run/healthcheck.ts')
      await runHealthcheck(config, file, json === true)
    })
  withTarget(
    healthcheck
      .command('provision')
      .summary('make what the checkers of an inventory need: devices, keys, certificates, configurations')
      .description(
        'Makes what the checkers of an inventory need, over REST as the administrator of the platform: an organisation, a\n' +
          'device and an API key each; and in a directory for each: keys, certificates, `checker.yaml`. What is there and\n' +
          'good stays: it can be run again, after a failure or when a checker was added.',
      )
      .requiredOption('--inventory <file>', 'the inventory of the cell')
      .option('--inventory-at <path>', 'where it is on the hosts of the checkers (default: the same path)')
      .option('--directory <dir>', 'gets a directory for each checker, to be copied to its host', 'checkers')
      .addHelpText(
        'after',
        '\nExample:\n  cinque healthcheck provision --inventory cell.yaml --directory checkers',
      ),
  ).action(async (options: ProvisionCommandOptions) => {
    const { provisionCheckers } = await import('#scripts/run/provision.ts')
    const { inventory, inventoryAt = resolve(inventory), directory, json, ...target } = options
    await provisionCheckers({ inventory, inventoryAt, directory, target, json: json === true })
  })
}
