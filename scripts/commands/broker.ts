import type { Command } from 'commander'
import { brokerConfig } from '#broker/config.ts'
import { configHelp } from '#scripts/config/help.ts'
import { effective, loadConfig, type ConfigSources } from '#scripts/config/load.ts'
import { collect, hostAndPort } from '#scripts/options.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'

interface BrokerOptions {
  listen?: readonly string[]
  data?: string
  memory?: true
  anonymous?: true
  config?: string
  set?: readonly string[]
  metrics?: { host: string; port: number }
  trace?: readonly string[]
  cell?: string
  name?: string
  printConfig?: true
  json?: true
}

export function addBroker(program: Command): void {
  program
    .command('broker')
    .summary('run the MQTT broker alone, in the foreground')
    .description(
      'Runs the MQTT broker alone, in the foreground. Prints `ready URL` for each listener once it accepts connections.\n' +
        'SIGTERM or SIGINT: drains and exits with 0; a second one: exits at once. SIGHUP: reads certificates again.',
    )
    .option(
      '--listen <url>',
      'tcp://, tls://, ws:// or wss:// with host and port (repeatable; port 0: any)',
      collect,
    )
    .option('--data <dir>', 'keep sessions, queues and retained messages in this directory')
    .option('--memory', 'keep nothing (the default without --data)')
    .option('--anonymous', 'let clients connect without user name')
    .option('--config <file>', 'configuration in YAML or JSON')
    .option('--set <path=value>', 'one configuration key, value in YAML (repeatable)', collect)
    .option('--metrics <host:port>', 'serve Prometheus metrics by HTTP at /metrics', hostAndPort)
    .option('--trace <client>', 'log every packet of the client with this id (repeatable)', collect)
    .option('--cell <file>', 'be a member of the cell that this file tells of, instead of --data')
    .option('--name <name>', 'name of this process in the inventory, as dc01-n1-broker1; with --cell')
    .option('--print-config', 'print every effective value with its origin, and exit')
    .option('--json', 'print JSON')
    .addHelpText('after', () => `\n${configHelp(brokerConfig)}`)
    .action(async (options: BrokerOptions) => {
      const loaded = loadConfig(brokerConfig, sourcesOf(options))
      if (options.printConfig === true) return printConfig(loaded, options.json === true)
      const { runBroker } = await import('#scripts/run/broker.ts')
      const { trace = [], metrics, json = false } = options
      await runBroker(loaded.config, { traced: trace, metricsAt: metrics, cell: cellOf(options), json })
    })
}

function cellOf({ cell, name, data, memory }: BrokerOptions): { file: string; name: string } | undefined {
  if ((cell === undefined) !== (name === undefined)) {
    throw new CliError('--cell and --name go together', { exitCode: 2 })
  }
  if (cell === undefined || name === undefined) return undefined
  if (data !== undefined || memory === true) {
    throw new CliError('--cell goes without --data and --memory', { exitCode: 2 })
  }
  return { file: cell, name }
}

function sourcesOf(options: BrokerOptions): ConfigSources {
  if (options.memory === true && options.data !== undefined) {
    throw new CliError('--data and --memory exclude each other', { exitCode: 2 })
  }
  const flags: [string, unknown, string][] = []
  if (options.listen !== undefined) flags.push(['listen', options.listen, '--listen'])
  if (options.data !== undefined) flags.push(['data', options.data, '--data'])
  if (options.memory === true) flags.push(['data', undefined, '--memory'])
  if (options.anonymous === true) flags.push(['auth.anonymous', true, '--anonymous'])
  return { file: options.config, env: process.env, sets: options.set ?? [], flags }
}

function printConfig(loaded: ReturnType<typeof loadConfig<typeof brokerConfig>>, json: boolean): void {
  const values = effective(loaded, brokerConfig)
  if (json)
    return printJson(Object.fromEntries(values.map(({ path, value, origin }) => [path, { value, origin }])))
  for (const { path, value, origin } of values) printLine(`${path} = ${JSON.stringify(value)}  # ${origin}`)
}
