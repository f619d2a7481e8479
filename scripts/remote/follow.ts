import type { Host } from '#platform/inventory/inventory.ts'
import { pause } from '#scripts/pause.ts'
import { entryOf, entryOutput, type JournalEntry, journalCommand, type JournalQuery } from './journal.ts'
import type { Remote } from './remote.ts'
import { quote } from './shell.ts'

interface FollowOptions {
  readonly query: JournalQuery
  /** Of what was before. */
  readonly lines: number
  readonly signal: AbortSignal
  readonly onEntry: (host: string, entry: JournalEntry) => void
  /** The host was lost; it is asked again, and nothing of its journal is left out. */
  readonly onBreak: (host: string, why: string) => void
}

const againMs = 2000
/** A connection is begun anew after that. */
const followMs = 86_400_000

/** Tells the entries of a host's journal as they come, until the signal. */
export async function follow(remote: Remote, { name }: Host, options: FollowOptions): Promise<void> {
  const { query, lines, signal, onEntry, onBreak } = options
  let cursor: string | undefined
  let said = ''
  while (!signal.aborted) {
    const from = cursor === undefined ? `--lines=${lines}` : `--after-cursor=${quote(cursor)} --lines=all`
    // oxlint-disable-next-line no-await-in-loop -- until it ends
    const { code, stderr, failure } = await remote.run(
      { name },
      journalCommand(query, '--follow', from, entryOutput),
      {
        signal,
        timeoutMs: followMs,
        onLine: (line, stream) => {
          const entry = stream === 'stdout' ? entryOf(line) : null
          if (entry === null) return
          cursor = entry.cursor
          said = ''
          onEntry(name, entry)
        },
      },
    )
    if (signal.aborted) return
    const why =
      failure ?? `${name}: ${stderr.trim().split('\n').at(-1) ?? ''} (journalctl ended with ${code})`
    // Once for each time that it is lost.
    if (why !== said) onBreak(name, why)
    said = why
    // oxlint-disable-next-line no-await-in-loop
    await pause(againMs, signal)
  }
}
