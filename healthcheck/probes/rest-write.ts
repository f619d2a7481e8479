import type { Access } from './access.ts'
import { keyOf, newValue, untilLatest } from './latest.ts'
import { answered, wholeMs } from './patience.ts'
import type { Probe } from './probe.ts'
import type { Rest } from './rest.ts'

/** Stores a value by `POST /v1/ingest`, and reads it back. */
export function restWrite(rest: Rest, access: Access): Probe {
  return {
    name: 'rest-write',
    weight: 'serve',
    timeoutMs: wholeMs,
    slowMs: 2000,
    run: async (target, signal) => {
      const key = keyOf('rest', target)
      const value = newValue()
      await rest.asDevice(target, '/v1/ingest', { [key]: value }, signal)
      await answered(signal, `what was stored cannot be read back from ${target.host.address}`, (limited) =>
        untilLatest(rest, access, { target, key, value, everyMs: 200 }, limited),
      )
      return undefined
    },
  }
}
