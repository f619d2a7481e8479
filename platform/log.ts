import { pino } from 'pino'

export type Logger = pino.Logger

/** A logger with one JSON line per event: `event` names it, `msg` says it to a person. */
export function createLogger(options: { level?: string; destination?: pino.DestinationStream } = {}): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level ?? 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
  }
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination)
}
