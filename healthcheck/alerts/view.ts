import type { Plan } from '#platform/maintenance/plan.ts'
import type { ProbeResult } from '../probes/probe.ts'
import type { Standing, Vote } from '../votes/vote.ts'

/** What a checker knows at one time. */
export interface View {
  /** Of all subjects, hosts and DCs. */
  readonly standings: readonly Standing[]
  /** What checkers say that were heard within `vote_ttl`, this one included; who is not heard has none. */
  readonly votes: readonly Vote[]
  /** The last result of each probe at each host, by this checker. */
  readonly results: readonly ProbeResult[]
  /** Maintenance windows and silences. */
  readonly plans: readonly Plan[]
}
