import type { Command } from 'commander'
import { checkerConfig } from '#healthcheck/checker/config.ts'
import { configHelp } from '#scripts/config/help.ts'
import { loadConfig } from '#scripts/config/load.ts'

interface HealthcheckOptions {
  config: string
  json?: true
}

/** A vantage point: looks at all hosts as a device and as a user. */
export function addHealthcheck(program: Command): void {
  program
    .command('healthcheck')
    .summary('run a checker, which looks at all hosts as a device and as a user')
    .description(
      'Runs a checker in the foreground: it looks at all hosts as a device and as a user, votes with the others, and\n' +
        'answers DNS. Prints `ready URL NAME`. SIGTERM or SIGINT: ends with 0.',
    )
    .requiredOption('--config <file>', 'its configuration in YAML or JSON')
    .option('--json', 'print JSON')
    .addHelpText('after', () => `\n${configHelp(checkerConfig)}`)
    .action(async ({ config: file, json }: HealthcheckOptions) => {
      const { config } = loadConfig(checkerConfig, { file })
      const { runHealthcheck } = await import('#scripts/run/healthcheck.ts')
      await runHealthcheck(config, file, json === true)
    })
}
