import { ownTime } from '../bench/machine.ts'

/** For what takes milliseconds where nothing is wrong: who waits for longer has found a fault, not a slow machine. */
const DEADLINE_MS = 30_000
const LOOK_MS = 5

/**
 * Whether so much time has passed since now. Tests give up by the own time of the machine, as a guest may stand still for
 * seconds; the system is asked for it only when it can be so.
 */
export function deadline(ms = DEADLINE_MS): () => boolean {
  const [wall, own] = [performance.now(), ownTime()]
  return () => performance.now() - wall >= ms && ownTime() - own >= ms
}

/** Calls back once so much own time has passed; what it returns calls it off. */
export function alarm(ms: number, ring: () => void): () => void {
  const end = ownTime() + ms
  let timer = setTimeout(look, ms)
  function look(): void {
    const left = end - ownTime()
    if (left <= 0) ring()
    else timer = setTimeout(look, Math.ceil(left))
  }
  return () => clearTimeout(timer)
}

/** Looks at a condition until it holds; throws with `what` after the deadline. */
export async function eventually(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
  deadlineMs = DEADLINE_MS,
  everyMs = LOOK_MS,
): Promise<void> {
  const over = deadline(deadlineMs)
  // oxlint-disable-next-line no-await-in-loop
  while (!(await condition())) {
    if (over()) throw new Error(late(deadlineMs, what))
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** The promise's value; throws with `what` after the deadline. */
export async function within<T>(
  promise: Promise<T>,
  what: string | (() => string),
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const { promise: never, reject } = Promise.withResolvers<never>()
  const off = alarm(deadlineMs, () => reject(new Error(late(deadlineMs, what))))
  return Promise.race([promise, never]).finally(off)
}

function late(ms: number, what: string | (() => string)): string {
  return `not within ${ms} ms: ${typeof what === 'string' ? what : what()}`
}
