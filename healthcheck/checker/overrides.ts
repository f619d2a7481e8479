import { join } from 'node:path'
import type { Access } from '../probes/access.ts'
import type { Target } from '../probes/probe.ts'
import { Rest } from '../probes/rest.ts'
import { OverridesCache, overridesPath } from '../votes/overrides-cache.ts'
import type { Override } from '../votes/vote.ts'
import type { CheckerOptions } from './checker.ts'
import { StateFile } from './state.ts'

export interface Overrides {
  current(): readonly Override[]
  start(): void
  close(): void
}

/** People's words about DCs and hosts, from the API of whichever host answers. */
export function openOverrides(
  { config, log, metrics, clock, timers }: CheckerOptions,
  { access, targets, onChange }: { access: Access; targets: readonly Target[]; onChange: () => void },
): Overrides {
  const rest = new Rest(access, () => undefined)
  const byName = new Map(targets.map((target) => [target.host.name, target]))
  const cache = new OverridesCache({
    places: Array.from(byName.keys()),
    async ask(place, etag, signal) {
      const target = byName.get(place)
      if (target === undefined) throw new Error(`there is no host ${place}`)
      const authorization = `Bearer ${access.apiKey}`
      const headers = etag === undefined ? {} : { 'if-none-match': etag }
      const answer = await rest.ask(
        target,
        { method: 'GET', path: overridesPath, authorization, headers },
        signal,
      )
      return { status: answer.status, etag: answer.headers.etag, text: answer.text }
    },
    file: new StateFile<readonly Override[]>(join(config.state, 'overrides.json'), log),
    onChange,
    timers,
    clock,
    log,
    metrics,
  })
  return {
    current: () => cache.current(),
    start: () => cache.start(),
    close: () => {
      cache.stop()
      rest.close()
    },
  }
}
