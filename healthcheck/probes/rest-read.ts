import type { Access } from './access.ts'
import { wholeMs } from './patience.ts'
import type { Probe } from './probe.ts'
import type { Rest } from './rest.ts'

/** Shows its API key and reads its own device, which the store is asked for. */
export function restRead(rest: Rest, { device }: Pick<Access, 'device'>): Probe {
  return {
    name: 'rest-read',
    weight: 'serve',
    timeoutMs: wholeMs,
    slowMs: 1500,
    run: async (target, signal) => {
      const answer = (await rest.asUser(target, `/v1/devices/${device.id}`, signal)) as
        | { id?: unknown }
        | undefined
      if (answer?.id !== device.id)
        throw new Error(`GET /v1/devices/${device.id}: the answer is another device`)
      return undefined
    },
  }
}
