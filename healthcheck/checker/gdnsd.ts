import { gdnsdStates, writeGdnsdStates } from '../dns/gdnsd/states.ts'
import type { Voting } from '../votes/voting.ts'
import type { CheckerOptions } from './checker.ts'

const retryMs = 10_000

/**
 * Tells a gdnsd what the standings are, now and at each change, if it is configured. What can't be written is logged,
 * counted and tried again. Returns what ends it.
 */
export function openGdnsd(
  { config, inventory, log, metrics, timers }: CheckerOptions,
  voting: Voting,
): () => void {
  if (config.gdnsd === undefined) return () => undefined
  const { state_file: file } = config.gdnsd
  const unwritten = metrics.counter('cinque_gdnsd_unwritten_total', 'States that gdnsd could not be told')
  let written = false
  const write = (): void => {
    try {
      writeGdnsdStates(file, gdnsdStates(inventory, Array.from(voting.standings().values())))
      written = true
    } catch (error) {
      unwritten.value++
      written = false
      log.error(
        { event: 'gdnsd.write', err: error },
        `gdnsd is not told of a change: ${file} cannot be written`,
      )
    }
  }
  write()
  voting.onChange(write)
  const timer = timers.every(retryMs, () => {
    if (!written) write()
  })
  return () => timer.cancel()
}
