import { randomInt } from 'node:crypto'

/** The seed of this run: `CINQUE_SEED`, or a fresh one. Failures print it. */
export const seed = Number(process.env['CINQUE_SEED'] ?? randomInt(2 ** 31))

/** Resolves after so many milliseconds: how long a broker lives is chance, not a wait for something. */
export function lifetime(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}

/** Looks at a condition until it holds; throws with `what` after the deadline. */
export async function eventually(
  what: () => string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 15_000,
): Promise<void> {
  const end = Date.now() + deadlineMs
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    if (await condition()) return
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what()}`)
    // oxlint-disable-next-line no-await-in-loop
    await lifetime(10)
  }
}

/** The promise's value; throws with `what` after the deadline. */
export async function within<T>(promise: Promise<T>, what: () => string, deadlineMs = 20_000): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`not within ${deadlineMs} ms: ${what()}`)), deadlineMs)
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer))
}
