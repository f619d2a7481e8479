import { type Logger, createLogger } from '#platform/log.ts'

/** A logger whose lines the test reads. */
export function collectLog(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => {
    const parsed: Record<string, unknown> = JSON.parse(line)
    lines.push(parsed)
  }
  return { log: createLogger({ destination: { write } }), lines }
}
