import type { Logger } from '#platform/log.ts'
import { StoreError } from '#platform/store/store.ts'
import { CliError } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'

const retryMs = 2_000

/**
 * Opens the store. A service waits for one that is away, has no schema yet or does not know its user: to end and be started
 * again every few seconds would take the processor from what it waits for. A person at a terminal is told at once.
 *
 * Rejects with CliError. While it waits, SIGTERM ends the process at once: it holds nothing.
 */
export async function whenServed<T>(
  log: Logger,
  open: () => Promise<T>,
  { isService = process.env.NOTIFY_SOCKET !== undefined, everyMs = retryMs } = {},
): Promise<T> {
  const stop = (): void => process.exit(0)
  if (isService) process.on('SIGTERM', stop)
  let said = ''
  try {
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one try after the other
        return await open()
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        if (!isService) throw new CliError(error.message, { cause: error })
        if (error.message !== said) {
          log.warn({ event: 'store.waiting', detail: error.message }, 'waiting for the store')
          said = error.message
        }
        // oxlint-disable-next-line no-await-in-loop
        await pause(everyMs)
      }
    }
  } finally {
    process.off('SIGTERM', stop)
  }
}
