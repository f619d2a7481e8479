import { gdnsdStates, writeGdnsdStates } from '../dns/gdnsd/states.ts'
import type { Voting } from '../votes/voting.ts'
import type { CheckerOptions } from './checker.ts'

/** Until then a checker that just started may not know better than the one before it. */
const firstWriteMs = 60_000
/** After a failed write; also how often a healthy file is made sure of. */
const againMs = 10_000

/**
 * Writes the states that gdnsd reads when standings change, if it is configured; what is there when the checker starts
 * stays until it knows better. A write that fails is told and tried again. Returns what ends it.
 */
export function feedGdnsd(
  { config, inventory, log, metrics, timers }: CheckerOptions,
  voting: Pick<Voting, 'standings' | 'onChange'>,
): () => void {
  if (config.gdnsd === undefined) return () => undefined
  const { states_file: file } = config.gdnsd
  const failures = metrics.counter('cinque_gdnsd_failed_writes_total', "writes of gdnsd's states that failed")
  let written: string | undefined
  let failing = false
  const write = (): void => {
    const states = gdnsdStates(inventory, Array.from(voting.standings().values()))
    if (states === written) return
    try {
      writeGdnsdStates(file, states)
      written = states
      if (failing) log.info({ event: 'gdnsd.states' }, `${file}: written again`)
      failing = false
    } catch (error) {
      failures.value++
      // Once, and not every ten seconds for as long as the disk is full.
      if (!failing)
        log.error({ event: 'gdnsd.states', error }, `${file}: cannot be written, gdnsd keeps what it has`)
      failing = true
    }
  }
  let ended = false
  voting.onChange(() => {
    if (!ended) write()
  })
  let again = timers.after(firstWriteMs, () => {
    write()
    again = timers.every(againMs, write)
  })
  return () => {
    ended = true
    again.cancel()
  }
}
