import type { Command } from 'commander'
import { brokerConfig } from '#broker/config.ts'
import { loadConfig } from '#scripts/config/load.ts'
import { collect, hostAndPort } from '#scripts/options.ts'

interface ApiOptions {
  cell: string
  name: string
  http: { host: string; port: number }
  https?: { host: string; port: number }
  config?: string
  set?: readonly string[]
  json?: true
}

export function addApi(program: Command): void {
  program
    .command('api')
    .summary('run the REST API of one host of a cell, in the foreground')
    .description(
      'Runs REST, live streams and MQTT over WebSocket (/mqtt) of one host of a cell, in the foreground. Prints `ready URL ...`\n' +
        'once it takes requests. SIGTERM or SIGINT: drains and exits with 0; a second one: exits at once.',
    )
    .requiredOption('--cell <file>', 'what makes this process a member of a cell, in YAML or JSON')
    .requiredOption('--name <name>', 'its name in the inventory, as dc01-n1-api')
    .option('--http <host:port>', 'where to listen', hostAndPort, { host: '127.0.0.1', port: 8080 })
    .option(
      '--https <host:port>',
      'where to listen for the same over TLS; the certificate is that of tls.cert and tls.key',
      hostAndPort,
    )
    .option('--config <file>', "the broker's configuration in YAML or JSON, see `cinque broker --help`")
    .option('--set <path=value>', 'one key of it (repeatable)', collect)
    .option('--json', 'print JSON')
    .action(async (options: ApiOptions) => {
      const { cell: file, name, http, https, json = false } = options
      const flags: [string, unknown, string][] = [['listen', [], '--cell']]
      const sources = { file: options.config, env: process.env, sets: options.set ?? [], flags }
      const { config } = loadConfig(brokerConfig, sources)
      const { runApi } = await import('#scripts/run/api.ts')
      await runApi(config, { file, name, http, https, json })
    })
}
