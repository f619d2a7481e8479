import { type Command, Option } from 'commander'
import { brokerConfig } from '#broker/config.ts'
import { type ConfigSources, loadConfig } from '#scripts/config/load.ts'
import { collect, port } from '#scripts/options.ts'
import { CliError } from '#scripts/output.ts'

interface DevOptions {
  data?: string
  memory?: true
  mqttPort?: number
  httpPort: number
  logLevel?: string
  config?: string
  set?: readonly string[]
  trace?: readonly string[]
  json?: true
}

const defaultData = './cinque-data'
const defaultMqttPort = 1883

export function addDev(program: Command): void {
  program
    .command('dev')
    .summary('start the whole platform as one process on 127.0.0.1')
    .description(
      'Starts the whole platform as one process on 127.0.0.1, with a device made for you at the first start.\n' +
        'SIGTERM or Ctrl-C: drains and exits with 0; a second one: exits at once.',
    )
    .option('--data <dir>', `keep data in this directory (default: "${defaultData}")`)
    .option('--memory', 'keep nothing')
    .option('--mqtt-port <port>', `port of MQTT; 0: any free one (default: ${defaultMqttPort})`, port)
    .option('--http-port <port>', 'port of REST and of MQTT over WebSocket; 0: any free one', port, 8080)
    .addOption(
      new Option('--log-level <level>', 'logs go to stderr (default: "warn")').choices([
        'trace',
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .option('--config <file>', "the broker's configuration in YAML or JSON, see `cinque broker --help`")
    .option('--set <path=value>', 'one key of it (repeatable)', collect)
    .option(
      '--trace <client>',
      'log every packet of the client with this id (repeatable; level info)',
      collect,
    )
    .option('--json', 'print JSON')
    .action(async (options: DevOptions) => {
      const { config } = loadConfig(brokerConfig, sourcesOf(options))
      const { runDev } = await import('#scripts/run/dev.ts')
      const { httpPort, trace = [], json = false } = options
      await runDev({ config, httpPort, traced: trace, json })
    })
}

/** The broker's defaults are those of a server; these are those of a workbench. */
function sourcesOf(options: DevOptions): ConfigSources {
  if (options.memory === true && options.data !== undefined) {
    throw new CliError('--data and --memory exclude each other', { exitCode: 2 })
  }
  const defaults = {
    data: defaultData,
    listen: [`tcp://127.0.0.1:${options.mqttPort ?? defaultMqttPort}`],
    log_level: 'warn',
  }
  const flags: [string, unknown, string][] = []
  if (options.mqttPort !== undefined) flags.push(['listen', defaults.listen, '--mqtt-port'])
  if (options.data !== undefined) flags.push(['data', options.data, '--data'])
  if (options.memory === true) flags.push(['data', undefined, '--memory'])
  if (options.logLevel !== undefined) flags.push(['log_level', options.logLevel, '--log-level'])
  return { defaults, file: options.config, env: process.env, sets: options.set ?? [], flags }
}
