import type { Probe } from './probe.ts'
import type { Rest } from './rest.ts'

/**
 * By how much the clock of a host differs from that of most hosts, from the Date of its answers (RFC 9110, 6.6.1: whole
 * seconds). The checker's own clock does not matter: the median of all hosts is taken for the time.
 */
export function clock(rest: Rest, mostSeconds: number): Probe {
  /** Seconds by which hosts are ahead of the checker. */
  const ahead = new Map<string, number>()
  return {
    name: 'clock',
    weight: 'degrade',
    interval: 60,
    timeoutMs: 10_000,
    slowMs: 5000,
    run: async (target, signal) => {
      const sent = Date.now()
      const { headers } = await rest.ask(target, { method: 'GET', path: '/livez' }, signal)
      const middle = (sent + Date.now()) / 2
      const said = Date.parse(headers.date ?? '')
      if (Number.isNaN(said)) throw new Error('GET /livez: the answer has no Date')
      // It was cut to the second: on average half of one is missing.
      ahead.set(target.host.name, (said + 500 - middle) / 1000)
      const skew = (ahead.get(target.host.name) ?? 0) - median([...ahead.values()])
      if (Math.abs(skew) > mostSeconds) {
        throw new Error(`its clock is ${Math.abs(skew).toFixed(0)} s ${skew > 0 ? 'ahead' : 'behind'}`)
      }
      return { skew: Math.round(skew * 10) / 10 }
    },
  }
}

/** Of few values the one that is not far off: of two hosts that differ nobody knows which is wrong. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)]
}
