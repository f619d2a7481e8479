import type { Timers } from '#platform/timers.ts'
import { changedSince, toBatches } from './batches.ts'
import { checkTags, newReference, toConfig } from './checks.ts'
import { isSettled } from './observed.ts'
import type { CheckStep, Plan } from './plan.ts'
import { type Route53, Route53Error } from './port.ts'

/** Between two looks at what is not finished. */
const lookMs = 5000
/** A new check has its first results after one interval (30 s) or two. */
const settleMs = 300_000
const defaultCountPauseMs = 60_000
/** Route 53 says "within 60 seconds" under normal conditions. */
const inSyncMs = 180_000

export interface Applied {
  readonly batches: number
  readonly checks: { readonly created: number; readonly updated: number; readonly deleted: number }
  /** False: all is accepted, but some name servers did not have it when we stopped looking. */
  readonly inSync: boolean
}

/** It was begun and not finished; nothing is lost, and the next run goes on from there. */
export class ApplyError extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ApplyError'
    this.remedy = remedy
  }
}

export interface ApplyOptions {
  readonly timers: Timers
  /** Progress, a line each. */
  readonly say: (line: string) => void
  /** Milliseconds that new calculated checks get before records depend on them: Route 53 does not tell their state. */
  readonly countPauseMs?: number
}

/**
 * Makes the zone as the plan says: checks first, which must have been looked at once before anything may depend on them
 * (a new check counts as healthy until then, and an inverted one as unhealthy); then the records, in one batch as long
 * as they fit into one; then the checks that nobody needs any more go. Cut off at any point, the records are either all
 * as before or all as planned, and the next plan shows what is left.
 *
 * @throws ApplyError, Route53Error
 */
export async function applyPlan(port: Route53, plan: Plan, options: ApplyOptions): Promise<Applied> {
  const { timers, say } = options
  const ids = new Map(plan.checkIds)
  const done = { created: 0, updated: 0, deleted: 0 }
  const makeChecks = async (kind: 'http' | 'count'): Promise<void> => {
    for (const step of plan.checks) {
      if (step.action === 'delete' || step.wanted.kind !== kind) continue
      await applyCheck(port, plan, step, ids)
      if (step.action === 'create') done.created++
      else done.updated++
      say(`${step.action}d check ${step.name}`)
    }
  }
  await makeChecks('http')
  await settled(port, plan, ids, options)
  await makeChecks('count')
  for (const { of, id, tags } of plan.tags) await port.tag(of, id, tags)
  await countPause(plan, options)
  const batches = toBatches(plan.names, ids)
  if (batches.length > 0) await gateUnchanged(port, plan)
  let inSync = true
  for (const [at, batch] of batches.entries()) {
    const comment = `cinque ${plan.owner.cell}: ${at + 1} of ${batches.length}`
    const change = await sent(port.change(plan.zone.id, batch, comment))
    say(`changed ${plan.zone.name}: ${batch.length} changes in batch ${at + 1} of ${batches.length}`)
    if (at === batches.length - 1) inSync = await reached(() => port.isInSync(change), inSyncMs, timers)
  }
  for (const step of plan.checks) {
    if (step.action !== 'delete') continue
    await port.deleteCheck(step.live.id)
    done.deleted++
    say(`deleted check ${step.name}`)
  }
  return { batches: batches.length, checks: done, inSync }
}

async function countPause({ fresh }: Plan, { timers, say, countPauseMs }: ApplyOptions): Promise<void> {
  const ms = countPauseMs ?? defaultCountPauseMs
  if (fresh.counts.length === 0 || ms === 0) return
  say(`waiting ${Math.ceil(ms / 1000)} s for ${fresh.counts.length} calculated checks`)
  await new Promise<void>((resolve) => timers.after(ms, resolve))
}

async function applyCheck(
  port: Route53,
  { owner }: Plan,
  step: CheckStep & { action: 'create' | 'update' },
  ids: Map<string, string>,
): Promise<void> {
  const config = toConfig(step.wanted, (name) => ids.get(name) ?? name)
  if (step.action === 'create') {
    const { id } = await port.createCheck(newReference(owner, step.name), config)
    ids.set(step.name, id)
    await port.tag('healthcheck', id, checkTags(owner, step.name))
    return
  }
  try {
    await port.updateCheck(step.live.id, step.live.version, config)
  } catch (error) {
    if (!(error instanceof Route53Error && error.code === 'HealthCheckVersionMismatch')) throw error
    throw new ApplyError(
      `check ${step.name}: somebody else changed it a moment ago`,
      'Look at the new plan, and apply again.',
      { cause: error },
    )
  }
}

/** Waits until every check that is about to count has results of all probers. */
async function settled(
  port: Route53,
  { fresh }: Plan,
  ids: ReadonlyMap<string, string>,
  { timers, say }: ApplyOptions,
): Promise<void> {
  let waiting = fresh.endpoints.filter((name) => ids.has(name))
  if (waiting.length === 0) return
  say(`waiting for the first results of ${waiting.length} health checks (about a minute)`)
  const all = await reached(
    async () => {
      const still: string[] = []
      for (const name of waiting) {
        const id = ids.get(name)
        if (id !== undefined && !isSettled(await port.observations(id))) still.push(name)
      }
      waiting = still
      return waiting.length === 0
    },
    settleMs,
    timers,
  )
  if (all) return
  throw new ApplyError(
    `no results of ${waiting.length} health checks within ${settleMs / 1000} s: ${waiting.slice(0, 5).join(', ')}; no record was changed`,
    'Run apply again in a few minutes: it goes on from here.',
  )
}

/** An UPSERT overwrites what it finds, and between reading and now a person was asked and checks settled. */
async function gateUnchanged(port: Route53, { zone, names }: Plan): Promise<void> {
  const changed = changedSince(names, await port.records(zone.id))
  if (changed === undefined) return
  throw new ApplyError(
    `${changed}: somebody else changed it since it was read; no record was changed`,
    'Look at the new plan, and apply again.',
  )
}

async function sent(answer: Promise<string>): Promise<string> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof Route53Error)) throw error
    if (error.code === 'InvalidChangeBatch' || error.code === 'InvalidInput') {
      throw new ApplyError(
        `Route 53 refused the batch, and changed nothing of it: ${error.message}`,
        'Somebody may have changed the zone since it was read: look at the new plan, and apply again.',
        { cause: error },
      )
    }
    if (error.refused) throw error
    throw new ApplyError(
      `the answer of Route 53 was lost (${error.message}): the batch is done whole, or not at all`,
      'Run plan again: it shows which.',
      { cause: error },
    )
  }
}

async function reached(look: () => Promise<boolean>, withinMs: number, timers: Timers): Promise<boolean> {
  const end = timers.monotonic() + withinMs
  for (;;) {
    if (await look()) return true
    if (timers.monotonic() >= end) return false
    await new Promise<void>((resolve) => timers.after(lookMs, resolve))
  }
}
