import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Command } from 'commander'
import { Metrics } from '#platform/metrics.ts'
import { Operator } from '#scripts/operator/operator.ts'
import { hostAndPort } from '#scripts/options.ts'
import { printJson, printLine } from '#scripts/output.ts'
import { type FleetOptions, openFleet, withFleet } from '#scripts/roll/open.ts'
import { stderrLogger } from '#scripts/run/logger.ts'
import { serveMetrics } from '#scripts/run/metrics-page.ts'

interface OperatorCommand extends FleetOptions {
  backup?: string
  drill?: string
  metrics?: { host: string; port: number }
}

const lookMs = 5000

export function addOperator(program: Command): void {
  const command = program
    .command('operator')
    .summary('do what schedules say, and go on with rolls, in the foreground')
    .description(
      'Does what schedules say when it is due, and carries out rolls that are planned over the API or whose runner has died, in the foreground. Any number of them may run; each time is done by one. Prints `ready` once it looks. SIGTERM or SIGINT: leaves what is under way to another one, and exits with 0.',
    )
  withFleet(command)
    .option('--backup <command>', 'run by sh for job backup; CINQUE_DUE says when it was due')
    .option('--drill <command>', 'run by sh for job drill')
    .option('--metrics <host:port>', 'where to show Prometheus metrics', hostAndPort)
    .addHelpText('after', "\nExample:\n  cinque operator --inventory cell.yaml --backup 'cinque backup run'")
    .action(async (options: OperatorCommand) => {
      const fleet = await openFleet(options)
      const metrics = new Metrics()
      const log = stderrLogger('info', metrics)
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      const { backup, drill, metrics: page } = options
      const operator = new Operator({
        fleet,
        runner: `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`,
        signal: stop.signal,
        commands: { ...(backup === undefined ? {} : { backup }), ...(drill === undefined ? {} : { drill }) },
        log,
        metrics,
        lookMs,
      })
      const server = page === undefined ? null : await serveMetrics(metrics, page)
      if (options.json === true) printJson({ ready: true })
      else printLine('ready')
      await operator.run()
      server?.close()
    })
}
