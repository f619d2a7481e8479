/** A failure that a person can act on: it is printed without a stack trace. */
export class CliError extends Error {
  /** 1: it failed; 2: it was asked for wrongly (unknown key, bad value). */
  readonly exitCode: 1 | 2
  readonly remedy: string | undefined
  /** More of it, for programs. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    message: string,
    options: {
      exitCode?: 1 | 2
      remedy?: string
      details?: Readonly<Record<string, unknown>>
      cause?: unknown
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'CliError'
    this.exitCode = options.exitCode ?? 1
    this.remedy = options.remedy
    this.details = options.details ?? {}
  }
}

/** Prints what went wrong on stderr, as one JSON document if asked, and answers the exit code. */
export function reportFailure(error: unknown, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error)
  const { remedy, details } = error instanceof CliError ? error : { remedy: undefined, details: {} }
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: { message, remedy, ...details } })}\n`)
  } else {
    for (const line of message.split('\n')) process.stderr.write(`cinque: ${line}\n`)
    if (remedy !== undefined) process.stderr.write(`  ${remedy}\n`)
  }
  return error instanceof CliError ? error.exitCode : 1
}

/** One JSON document a line: the whole answer of a command, or one event of a stream. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Rows under their headings, columns aligned by spaces; `least`: widths of rows that were printed before. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  least: readonly number[] = [],
): string[] {
  const widths = head.map((title, i) =>
    Math.max(title.length, least[i] ?? 0, ...rows.map((row) => row[i].length)),
  )
  return [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  )
}

/** Node's code of an error (`ECONNREFUSED`), also where it is the cause of another. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return errorCode(error.cause)
}

/** The first line of what an error says. */
export function errorLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]
}

/** In one line, as hosts and programs on them wrote it: control characters would move the cursor. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ')
}

/** Prints lines on a terminal over those that it printed before. */
export function redrawn(terminal: NodeJS.WriteStream): (lines: readonly string[]) => void {
  let drawn = 0
  return (lines) => {
    const up = drawn === 0 ? '' : `\u001B[${drawn}A`
    terminal.write(`${up}${lines.map((line) => `\u001B[2K${line}\n`).join('')}\u001B[J`)
    drawn = lines.length
  }
}
