import { z } from 'zod'
import { phases, type Roll, rollKinds, wishes } from '#platform/rolls/roll.ts'

const time = z.iso.datetime().nullable()

const step = z.object({
  host: z.string(),
  dc: z.string(),
  address: z.string().nullable().describe('that it had when the roll was planned, where that matters'),
  state: z.enum(['waiting', 'running', 'done', 'failed', 'skipped']),
  phase: z.enum(phases).nullable(),
  note: z.string().nullable().describe('what it waits for, or why it failed'),
  started_at: time,
  ended_at: time,
})
export const roll = z
  .object({
    id: z.string(),
    kind: z.enum(rollKinds),
    version: z.string().nullable().describe('what hosts have after an upgrade'),
    previous: z.string().nullable().describe('what a host is taken back to that is not well with it'),
    actor: z.string(),
    reason: z.string(),
    created_at: z.iso.datetime(),
    approval: z.enum(['not_needed', 'wanted', 'given']),
    approved_by: z.string().nullable(),
    wish: z.enum(wishes).describe('what a person wants of who carries it out'),
    state: z.enum(['ready', 'running', 'paused', 'done', 'failed', 'aborted']),
    progress: z.number().describe('0 to 1'),
    steps: z.array(step).describe('in their order'),
    runner: z
      .object({ name: z.string(), token: z.int(), beat_at: z.iso.datetime() })
      .nullable()
      .describe('who carries it out, or did last'),
    ended_at: time,
    note: z.string().nullable().describe('why it ended as it did'),
  })
  .meta({ id: 'Roll', description: 'something that is done to hosts of the fleet, one after the other' })

/** As the API shows it. */
export function shownRoll(one: Roll): z.input<typeof roll> {
  const done = one.steps.filter(({ state }) => state === 'done' || state === 'skipped').length
  return {
    id: one.id,
    kind: one.kind,
    version: one.version,
    previous: one.previous,
    actor: one.actor,
    reason: one.reason,
    created_at: new Date(one.createdAt).toISOString(),
    approval: one.approval,
    approved_by: one.approvedBy,
    wish: one.wish,
    state: one.state,
    progress: done / one.steps.length,
    steps: one.steps.map(({ startedAt, endedAt, ...rest }) => ({
      ...rest,
      started_at: timeOf(startedAt),
      ended_at: timeOf(endedAt),
    })),
    runner:
      one.runner === null
        ? null
        : {
            name: one.runner.name,
            token: one.runner.token,
            beat_at: new Date(one.runner.beatAt).toISOString(),
          },
    ended_at: timeOf(one.endedAt),
    note: one.note,
  }
}

function timeOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
