import type { Gate } from './gate.ts'
import type { HostPages } from './host-pages.ts'

/** No Cassandra node has hints for another one: what that has missed while it was away has come. */
export function hints(pages: HostPages): Gate {
  return {
    name: 'hints',
    look: async (host) => {
      const waiting = new Map<string, number>()
      for (const { samples } of await pages.others(host)) {
        for (const { labels, value } of samples.get('cinque_cassandra_hint_files') ?? []) {
          // Hosts of a DC say the same, each as it was when it looked.
          const way = `${labels.from} for ${labels.to}`
          waiting.set(way, Math.max(waiting.get(way) ?? 0, value))
        }
      }
      return Array.from(waiting).flatMap(([way, files]) =>
        files > 0 ? [`hints wait in ${way}: ${files} files`] : [],
      )
    },
  }
}
