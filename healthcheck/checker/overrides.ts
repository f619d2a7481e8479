import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '#platform/clock.ts'
import type { Access } from '../probes/access.ts'
import type { Target } from '../probes/probe.ts'
import { Rest } from '../probes/rest.ts'
import type { Override } from '../votes/vote.ts'
import { inForce } from '../votes/word.ts'
import type { CheckerOptions } from './checker.ts'
import { askHosts, Followed, type FollowedOptions } from './followed.ts'
import { StateFile } from './state.ts'

export interface Overrides {
  current(): readonly Override[]
  start(): void
  close(): void
}

const path = '/v1/checkers/overrides'
const everyMs = 10_000
/** The API does not tell checkers who it was: their reasons are on the status page. */
const owner = 'an administrator'

const item = z.object({
  subject: z.string().min(1).max(64),
  action: z.enum(['out', 'in', 'weight']),
  percent: z.number().min(0).max(100).nullable(),
  reason: z.string().max(1000),
  at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
})
type Item = z.output<typeof item>

/** People's words about DCs and hosts, from the API of whichever host answers. */
export function openOverrides(
  { config, log, metrics, clock, timers }: CheckerOptions,
  { access, targets, onChange }: { access: Access; targets: readonly Target[]; onChange: () => void },
): Overrides {
  const rest = new Rest(access, () => undefined)
  const followed = followOverrides({
    ...askHosts(rest, access.apiKey, targets, path),
    file: new StateFile(join(config.state, 'overrides.json'), log),
    onChange,
    timers,
    log,
    metrics,
  })
  return {
    current: () => wordsInForce(followed.items, clock),
    start: () => followed.start(),
    close: () => {
      followed.stop()
      rest.close()
    },
  }
}

/** What people said, as the API of any DC told it last. */
export function followOverrides(
  options: Omit<FollowedOptions<Item>, 'name' | 'ageMetric' | 'item' | 'everyMs'>,
): Followed<Item> {
  const ageMetric = 'cinque_overrides_age_seconds'
  return new Followed({ ...options, name: 'overrides', ageMetric, item, everyMs })
}

/** Where no API or store answers, those known before go on to hold, each until it expires by itself. */
export function wordsInForce(items: readonly Item[], clock: Clock): readonly Override[] {
  const words = items.map(({ percent, at, expires_at: end, ...rest }) => ({
    ...rest,
    owner,
    at: Date.parse(at),
    ...(percent === null ? {} : { percent }),
    ...(end === null ? {} : { expiresAt: Date.parse(end) }),
  }))
  return Array.from(inForce(words, clock.now()).values())
}
