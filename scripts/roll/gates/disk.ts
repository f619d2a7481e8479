import type { Gate } from './gate.ts'
import type { HostPages } from './host-pages.ts'

/** Where less is free a host that has to take what another one can't take now may not be able to. */
const leastFree = 0.05

/** No other app host's disk is almost full. */
export function disk(pages: HostPages): Gate {
  return {
    name: 'disks',
    look: async (host) =>
      (await pages.others(host)).flatMap(({ host: other, samples }) => {
        const free = samples.get('cinque_disk_free_ratio')?.[0]?.value ?? 1
        return free < leastFree ? [`the disk of ${other} is full to ${Math.round((1 - free) * 100)} %`] : []
      }),
  }
}
