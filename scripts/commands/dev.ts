import { type Command, Option } from 'commander'
import { port } from '#scripts/options.ts'
import { CliError } from '#scripts/output.ts'

interface DevOptions {
  data?: string
  memory?: true
  mqttPort: number
  httpPort: number
  logLevel: string
  json?: true
}

export function addDev(program: Command): void {
  program
    .command('dev')
    .summary('start the whole platform as one process on 127.0.0.1')
    .description(
      'Starts the whole platform as one process on 127.0.0.1, with a device made for you at the first start.\n' +
        'SIGTERM or Ctrl-C: drains and exits with 0; a second one: exits at once.',
    )
    .option('--data <dir>', 'keep data in this directory (default: "./cinque-data")')
    .option('--memory', 'keep nothing')
    .option('--mqtt-port <port>', 'port of MQTT; 0: any free one', port, 1883)
    .option('--http-port <port>', 'port of REST and of MQTT over WebSocket; 0: any free one', port, 8080)
    .addOption(
      new Option('--log-level <level>', 'logs go to stderr')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .option('--json', 'print JSON')
    .action(async (options: DevOptions) => {
      if (options.memory === true && options.data !== undefined) {
        throw new CliError('--data and --memory exclude each other', { exitCode: 2 })
      }
      const { runDev } = await import('#scripts/run/dev.ts')
      await runDev({
        data: options.memory === true ? undefined : (options.data ?? './cinque-data'),
        mqttPort: options.mqttPort,
        httpPort: options.httpPort,
        logLevel: options.logLevel,
        json: options.json === true,
      })
    })
}
