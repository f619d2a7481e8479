import { z } from 'zod'

/**
 * What may be done to hosts one after the other while everybody else keeps on working. `apply`: Puppet, also on one that is
 * new. `decommission`: it leaves the cell for good; `removenode`: one that is dead does.
 */
export const rollKinds = ['restart', 'reinstall', 'upgrade', 'apply', 'decommission', 'removenode'] as const
export type RollKind = (typeof rollKinds)[number]
/** Those that bring to hosts what the inventory of whoever planned them says. */
export const settingKinds: readonly RollKind[] = ['apply', 'decommission', 'removenode']

/**
 * What happens to one host, in this order. `gate`: wait until the fleet can do without it. `drain`: it takes no new
 * work, and its clients go elsewhere. `act`: restart, reinstall or upgrade it. `settle`: wait until it is well.
 * `return`: it takes work again.
 */
export const phases = ['gate', 'drain', 'act', 'settle', 'return'] as const
export type Phase = (typeof phases)[number]

const time = z.number()
const step = z.object({
  host: z.string(),
  dc: z.string(),
  /** In the inventory of whoever planned it, where that matters. */
  address: z.string().nullable().default(null),
  state: z.enum(['waiting', 'running', 'done', 'failed', 'skipped']),
  phase: z.enum(phases).nullable(),
  /** What it waits for, or why it failed. */
  note: z.string().nullable(),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
})

/** A word of a person to who carries it out. */
export const wishes = ['go', 'pause', 'abort'] as const

const roll = z.object({
  id: z.string(),
  kind: z.enum(rollKinds),
  /** Of an upgrade: what hosts have afterwards, and what they are taken back to if the first of them is not well with it. */
  version: z.string().nullable(),
  previous: z.string().nullable(),
  actor: z.string(),
  reason: z.string(),
  createdAt: time,
  /** A second person must say yes before anything is done. */
  approval: z.enum(['not_needed', 'wanted', 'given']),
  approvedBy: z.string().nullable(),
  wish: z.enum(wishes),
  /** `ready`: nobody carries it out now. Of the ends, `failed` leaves the host that failed out of service. */
  state: z.enum(['ready', 'running', 'paused', 'done', 'failed', 'aborted']),
  /** In order. */
  steps: z.array(step).min(1).max(1000),
  /** The last token of the roll before: they grow from roll to roll, so that hosts can refuse whoever comes with an older one. */
  lastToken: z.number().default(0),
  /** Who carries it out: what he does under an older token counts no more. */
  runner: z.object({ name: z.string(), token: z.number(), beatAt: time }).nullable(),
  endedAt: time.nullable(),
  /** Why it ended as it did. */
  note: z.string().nullable(),
})

/** Something done to hosts of the fleet, one after the other. Times are milliseconds since 1970. */
export type Roll = Readonly<z.output<typeof roll>>
export type Step = Readonly<Roll['steps'][number]>
export type Wish = (typeof wishes)[number]

export function parseRoll(text: string): Roll {
  return roll.parse(JSON.parse(text))
}

/** Nothing more will be done. */
export function isOver({ state }: Pick<Roll, 'state'>): boolean {
  return state === 'done' || state === 'failed' || state === 'aborted'
}
