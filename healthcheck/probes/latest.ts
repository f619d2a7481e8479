import { setTimeout as pause } from 'node:timers/promises'
import type { Access } from './access.ts'
import type { Target } from './probe.ts'
import type { Rest } from './rest.ts'

/** Key under which values about a host are stored: names of hosts are not all good ones. */
export function keyOf(kind: 'rest' | 'mqtt' | 'far', { host }: Target): string {
  return `${kind}_${host.name.replaceAll('-', '_')}`
}

/** Asks a host for the newest value of a key of the checker's device until it is the wanted one, or the signal aborts. */
export async function untilLatest(
  rest: Rest,
  { device }: Pick<Access, 'device'>,
  asked: { target: Target; key: string; value: number; everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/devices/${device.id}/latest?keys=${asked.key}`
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const answer = (await rest.asUser(asked.target, path, signal)) as
      | { items?: readonly { key?: unknown; value?: unknown }[] }
      | undefined
    if (answer?.items?.some(({ key, value }) => key === asked.key && value === asked.value) === true) return
    // oxlint-disable-next-line no-await-in-loop
    await pause(asked.everyMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted)
      throw new Error(`what was stored cannot be read back from ${asked.target.host.address}`)
  }
}

let last = 0

/** A value that was not stored before: time, made unique within this process. */
export function newValue(): number {
  last = Math.max(last + 1, Date.now())
  return last
}
