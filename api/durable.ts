import type { ApiDeps } from './deps.ts'
import { Problem } from './problems.ts'

const retryAfter = 1
const maxStagedBytes = 67_108_864

const awayRetryAfter = 5

/** Refuses what would change something while the store is away: nothing is begun that could not be finished. */
export function gateStore({ storeAway }: ApiDeps): void {
  const reason = storeAway?.() ?? null
  if (reason !== null)
    throw new Problem('store_unavailable', `${reason}; try again`, { retryAfter: awayRetryAfter })
}

/** Refuses before anything is staged: while the store cannot take the organisation's rows, or when too many wait for it (G7). */
export function gateLoad(deps: ApiDeps, org: string): void {
  const commit = deps.platform.lanes.of(org)
  if (commit.failing) {
    throw new Problem('store_unavailable', 'the store cannot be written now; try again', { retryAfter })
  }
  if (commit.staged > (deps.maxStaged ?? 65_536) || commit.stagedBytes > maxStagedBytes) {
    throw new Problem('overloaded', `${commit.staged} rows wait for the disk; try again`, { retryAfter })
  }
}

/** Resolves when what was staged for the organisation is durable; only then may a request be answered. */
export async function durable(deps: ApiDeps, org: string): Promise<void> {
  await inTime(deps, deps.platform.lanes.of(org).durable())
}

/** What a service that writes comes to; Problem `outcome_unknown` if the store does not confirm in time. */
export async function inTime<T>(deps: ApiDeps, work: Promise<T>): Promise<T> {
  const milliseconds = deps.durableTimeout ?? 10_000
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(
      new Problem(
        'outcome_unknown',
        `not confirmed within ${milliseconds} ms: it may be stored or not; try again`,
        {
          retryAfter,
        },
      ),
    )
  }, milliseconds)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
