import { type Command, Option } from 'commander'
import { brokerConfig } from '#broker/config.ts'
import { type ConfigSources, loadConfig } from '#scripts/config/load.ts'
import { defaultCellData } from '#scripts/client/target.ts'
import { collect, port, wholeNumber } from '#scripts/options.ts'
import { CliError } from '#scripts/output.ts'

interface DevOptions {
  data?: string
  memory?: true
  mqttPort?: number
  httpPort?: number
  logLevel?: string
  config?: string
  set?: readonly string[]
  trace?: readonly string[]
  dcs?: number
  full?: true
  apps?: number
  brokers?: number
  net?: number
  checkers: boolean
  wan: boolean
  json?: true
}

const defaultData = './cinque-data'
const defaultMqttPort = 1883
const defaultHttpPort = 8080

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
    .option(
      '--http-port <port>',
      'port of REST and of MQTT over WebSocket; 0: any free one (default: 8080)',
      port,
    )
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
    .optionsGroup('Datacenters as real processes (Cassandra, nats-server, brokers, APIs):')
    .option('--dcs <count>', `start this many, up to 5; data in "${defaultCellData}"`, wholeNumber(1, 5))
    .option('--full', 'three Cassandra nodes in each live datacenter instead of one')
    .option('--apps <count>', 'hosts with brokers and API in each datacenter', wholeNumber(1, 2))
    .option('--brokers <count>', 'broker processes on each of these hosts', wholeNumber(1, 16))
    .option('--no-checkers', 'without checkers, which answer for names in the zone cell.test')
    .option('--no-wan', 'do not delay packets between datacenters')
    .option(
      '--net <number>',
      'addresses 127.NUMBER.x.x (default: the first free one from 77 on)',
      wholeNumber(1, 254),
    )
    .action(async (options: DevOptions) => {
      if (options.dcs !== undefined) return runCell(options, options.dcs)
      const { full, apps, brokers, net, checkers, wan } = options
      if ([full, apps, brokers, net].some((one) => one !== undefined) || !wan || !checkers) {
        throw new CliError('--full, --apps, --brokers, --no-checkers, --no-wan and --net go with --dcs', {
          exitCode: 2,
        })
      }
      const { config } = loadConfig(brokerConfig, sourcesOf(options))
      const { runDev } = await import('#scripts/run/dev.ts')
      const { httpPort = defaultHttpPort, trace = [], json = false } = options
      await runDev({ config, httpPort, traced: trace, json })
    })
}

async function runCell(options: DevOptions, dcs: number): Promise<void> {
  const one = (['memory', 'trace'] as const).find((name) => options[name] !== undefined)
  if (one !== undefined || options.config !== undefined) {
    throw new CliError('--dcs goes without --memory, --trace and --config', { exitCode: 2 })
  }
  const { data: directory = defaultCellData, set, logLevel, json = false } = options
  const { full, apps: appsPerDc, brokers: brokersPerHost, net, mqttPort, httpPort } = options
  const { checkers, wan } = options
  const sets = [`log_level=${logLevel ?? 'info'}`, ...(set ?? [])]
  // What is wrong with them is said before anything is started.
  const { config, origins } = loadConfig(brokerConfig, { env: process.env, sets })
  if (config.data !== undefined) {
    throw new CliError(`data (${origins.get('data')}): the directory of a cell is named by --data`, {
      exitCode: 2,
    })
  }
  const { runDevCell } = await import('#scripts/cell/run.ts')
  const shape = { dcs, full, appsPerDc, brokersPerHost, checkers, net, mqttPort, httpPort }
  await runDevCell({ directory, ...shape, wan, sets, json })
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
