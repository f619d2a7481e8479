import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { hostname } from 'node:os'
import type { Command } from 'commander'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { defaultCellData } from '#scripts/client/target.ts'
import { Operator } from '#scripts/operator/operator.ts'
import { hostAndPort } from '#scripts/options.ts'
import { printLine } from '#scripts/output.ts'
import { cellFleet } from '#scripts/roll/fleet.ts'

interface OperatorCommand {
  cell: string
  backup?: string
  drill?: string
  metrics?: { host: string; port: number }
}

const lookMs = 5000

export function addOperator(program: Command): void {
  program
    .command('operator')
    .summary('do what schedules say, and go on with rolls, in the foreground')
    .description(
      'Does what schedules say when it is due, and carries out rolls that are planned over the API or whose runner has\n' +
        'died, in the foreground. Any number of them may run; each time is done by one. Prints `ready` once it looks.\n' +
        'SIGTERM or SIGINT: leaves what is under way to another one, and exits with 0.',
    )
    .option('--cell <dir>', 'data directory of the `cinque dev --dcs` whose hosts are meant', defaultCellData)
    .option('--backup <command>', 'run by sh for job backup; CINQUE_DUE says when it was due')
    .option('--drill <command>', 'run by sh for job drill')
    .option('--metrics <host:port>', 'where to show Prometheus metrics', hostAndPort)
    .addHelpText('after', "\nExample:\n  cinque operator --backup 'cinque backup run'")
    .action(async (options: OperatorCommand) => {
      const log = createLogger({ level: 'info' })
      const metrics = new Metrics()
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      const { backup, drill, metrics: page } = options
      const operator = new Operator({
        fleet: await cellFleet(options.cell),
        runner: `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`,
        signal: stop.signal,
        commands: { ...(backup === undefined ? {} : { backup }), ...(drill === undefined ? {} : { drill }) },
        log,
        metrics,
        lookMs,
      })
      const server = page === undefined ? null : createServer((_, response) => response.end(metrics.render()))
      if (page !== undefined) server?.listen(page.port, page.host)
      printLine('ready')
      await operator.run()
      server?.close()
    })
}
