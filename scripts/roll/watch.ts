import { type CinqueClient } from '#client/index.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { CliError, printLine } from '#scripts/output.ts'
import type { ShownRoll } from './ledger.ts'
import { progressPrinter, remedyOf } from './show.ts'

/**
 * Shows how far a roll is until it is over or a signal comes, whoever carries it out. Without an id: the one under way,
 * or the last one. CliError: it failed or was aborted.
 */
export async function watchRoll(
  client: CinqueClient,
  { id, json }: { readonly id: string | undefined; readonly json: boolean },
): Promise<void> {
  const roll = id ?? (await newest(client))
  const stopping = new AbortController()
  void untilStopped().then(() => stopping.abort())
  const show = progressPrinter(json)
  let broken = false
  const events = client.events(
    '/v1/rolls/{roll}/events',
    { path: { roll } },
    {
      signal: stopping.signal,
      onOpen: () => (broken = false),
      onBreak: () => {
        // A host that is restarted ends it, too; that is said once.
        if (!broken) process.stderr.write('cinque: the stream ended; opening it again\n')
        broken = true
      },
    },
  )
  for await (const { event, data } of events) {
    if (event === 'gap') printGap(data, json)
    if (event !== 'roll') continue
    const now = data as ShownRoll
    show(now)
    if (now.ended_at !== null) return ended(now)
  }
}

async function newest(client: CinqueClient): Promise<string> {
  const { items } = await client.get('/v1/rolls', { params: { query: { limit: 1 } } })
  const [roll] = items
  if (roll !== undefined) return roll.id
  throw new CliError('nothing was ever done to the fleet', { remedy: 'Plan it: cinque roll restart --plan' })
}

function printGap(data: unknown, json: boolean): void {
  const { reason = 'something is missing' } = data as { reason?: string }
  if (json) process.stderr.write(`cinque: ${reason}\n`)
  else printLine(reason)
}

function ended(roll: ShownRoll): void {
  if (roll.state === 'done') return
  const remedy = remedyOf(roll)
  const why = roll.note === null ? '' : `: ${roll.note}`
  throw new CliError(`${roll.kind} ${roll.state}${why}`, remedy === undefined ? {} : { remedy })
}
