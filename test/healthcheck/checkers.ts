import { checkerConfig, type CheckerConfig } from '#healthcheck/checker/config.ts'
import { type CheckerOptions, type RunningChecker, startChecker } from '#healthcheck/checker/checker.ts'
import { systemClock } from '#platform/clock.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { systemTimers } from '#platform/timers.ts'
import { loadConfig } from '#scripts/config/load.ts'
import { readChecker } from '#scripts/run/healthcheck.ts'
import type { LightFleet } from './light-fleet.ts'

/** Starts a checker of the fleet in this process, as `cinque healthcheck` does; `change` has the last word on its configuration. */
export function startFleetChecker(
  fleet: Pick<LightFleet, 'configOf'>,
  name: string,
  change: (config: CheckerConfig) => CheckerConfig = (config) => config,
  more: Pick<CheckerOptions, 'wrap'> = {},
): Promise<RunningChecker> {
  const file = fleet.configOf(name)
  const { config } = loadConfig(checkerConfig, { file })
  return startChecker({
    ...readChecker(change(config), file),
    log: createLogger({ level: 'silent' }),
    metrics: new Metrics(),
    clock: systemClock,
    timers: systemTimers,
    ...more,
  })
}
