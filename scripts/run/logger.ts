import { pino } from 'pino'
import { createLogger, type Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'

/** Bytes of log lines kept while whoever reads stderr is slow; lines beyond are dropped and counted. */
const maxWaiting = 16_777_216

/** Logs to stderr without waiting for it, so that stdout belongs to the command and a slow log stops nobody. */
export function stderrLogger(level: string, metrics: Metrics): Logger {
  const destination = pino.destination({ dest: 2, sync: false, maxLength: maxWaiting })
  const dropped = metrics.counter('cinque_log_dropped_total', 'Log lines dropped because stderr was slow')
  destination.on('drop', () => dropped.value++)
  return createLogger({ level, destination })
}
