import type { Gate } from './gate.ts'
import type { HostPages } from './host-pages.ts'

/** The API of every other app host answers. */
export function apis(pages: HostPages): Gate {
  return {
    name: 'the other hosts',
    look: async (host) =>
      (await pages.read()).flatMap((page) =>
        page.problem === null || pages.goWith(host).has(page.host)
          ? []
          : [`${page.host} does not answer: ${page.problem}`],
      ),
  }
}
