import { StalledError } from './errors.ts'

/**
 * Milliseconds for one answer of a host: to TCP, TLS, CONNECT, a request. A dead host gives none; one at the end of a slow
 * way gives all of them, late: it is slow, not down.
 */
export const answerMs = 4500
/** Milliseconds for a whole look of several answers. */
export const wholeMs = 15_000
/** A limit that comes so much too late says that this process stood still. */
const stallMs = 1000

/** What `ask` resolves with, or an Error with `says` when it has not after `answerMs`; StalledError: it could not have. */
export async function answered<T>(
  signal: AbortSignal,
  says: string,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const begun = performance.now()
  const limit = AbortSignal.timeout(answerMs)
  try {
    return await ask(AbortSignal.any([signal, limit]))
  } catch (error) {
    if (!limit.aborted || signal.aborted) throw error
    throw silence(begun, answerMs, says)
  }
}

/** The Error of something that was waited for since `begun` (`performance.now`), `limitMs` at most. */
export function silence(begun: number, limitMs: number, says: string): Error {
  const ms = performance.now() - begun
  return ms > limitMs + stallMs ? new StalledError(says, ms - limitMs) : new Error(says)
}
