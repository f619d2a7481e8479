import { PlatformError } from '../errors.ts'
import { isOver, type Roll, type RollKind, type Phase, phases, type Step, type Wish } from './roll.ts'

/** A runner that has not been heard of for that long is gone: another one may go on. Milliseconds. */
export const leaseMs = 30_000
const maxNote = 500

export interface NewRoll {
  readonly id: string
  readonly kind: RollKind
  readonly version?: string | undefined
  readonly previous?: string | undefined
  readonly actor: string
  readonly reason: string
  readonly approval: boolean
  /** Of the roll before. */
  readonly lastToken?: number
  readonly hosts: readonly {
    readonly host: string
    readonly dc: string
    readonly address?: string | undefined
  }[]
}

/** What a runner reports of the host that it is at. */
export interface Report {
  readonly host: string
  readonly phase: Phase
  readonly state: 'running' | 'done' | 'failed'
  readonly note?: string | undefined
}

// Each of these is pure: a roll in, the changed one out, or PlatformError with what is not possible and why.

export function planned(input: NewRoll, now: number): Roll {
  if (input.hosts.length === 0) throw new PlatformError('invalid_field', 'no host is meant', 'hosts')
  const seen = new Set<string>()
  for (const { host } of input.hosts) {
    if (seen.has(host)) throw new PlatformError('invalid_field', `"${host}" is there twice`, 'hosts')
    seen.add(host)
  }
  if ((input.kind === 'upgrade') !== (input.version !== undefined))
    throw new PlatformError('invalid_field', 'an upgrade has a version, and nothing else has', 'version')
  return {
    id: input.id,
    kind: input.kind,
    version: input.version ?? null,
    previous: input.previous ?? null,
    actor: input.actor,
    reason: input.reason,
    createdAt: now,
    approval: input.approval ? 'wanted' : 'not_needed',
    approvedBy: null,
    wish: 'go',
    state: 'ready',
    steps: input.hosts.map(({ host, dc, address = null }) => ({
      host,
      dc,
      address,
      state: 'waiting',
      phase: null,
      note: null,
      startedAt: null,
      endedAt: null,
    })),
    lastToken: input.lastToken ?? 0,
    runner: null,
    endedAt: null,
    note: null,
  }
}

export function approved(one: Roll, by: string): Roll {
  open(one)
  if (one.approval !== 'wanted') throw new PlatformError('conflict', 'it needs no approval, or has it')
  if (by === one.actor)
    throw new PlatformError('conflict', `${by} has planned it; another person must approve it`)
  return { ...one, approval: 'given', approvedBy: by }
}

/** A roll that nobody carries out ends at once when that is wished; else its runner does as wished after the phase that it is in. */
export function wished(one: Roll, wish: Wish, by: string, now: number): Roll {
  open(one)
  if (wish !== 'abort' || runnerLives(one, now)) return { ...one, wish }
  return ended({ ...one, wish }, 'aborted', `aborted by ${by}`, now)
}

/** A host that has not begun, or has failed, is left as it is. */
export function skipped(one: Roll, host: string, by: string): Roll {
  open(one)
  const at = stepOf(one, host)
  if (at.state !== 'waiting')
    throw new PlatformError('conflict', `${host} is ${at.state}; only a host that waits can be skipped`)
  return withStep(one, { ...at, state: 'skipped', note: `skipped by ${by}` })
}

/** An ended roll is planned again for what it has not done. */
export function rest(one: Roll): { host: string; dc: string }[] {
  return one.steps
    .filter(({ state }) => state !== 'done' && state !== 'skipped')
    .map(({ host, dc }) => ({ host, dc }))
}

/** `name` carries it out from now on, under the next token. Refused while another one does, and is alive. */
export function taken(one: Roll, name: string, now: number): Roll {
  open(one)
  if (one.approval === 'wanted')
    throw new PlatformError('conflict', `it waits for approval by another person than ${one.actor}`)
  if (one.wish === 'pause') throw new PlatformError('conflict', 'it is paused; resume it first')
  const { runner } = one
  if (runner !== null && runner.name !== name && runnerLives(one, now)) {
    const seconds = Math.max(0, Math.round((now - runner.beatAt) / 1000))
    throw new PlatformError('conflict', `${runner.name} carries it out, heard of ${seconds} s ago`)
  }
  const token = (runner?.token ?? one.lastToken) + 1
  return { ...one, state: 'running', runner: { name, token, beatAt: now } }
}

/** The runner with `token` is alive. `conflict` if it is the runner no more. */
export function beaten(one: Roll, token: number, now: number): Roll {
  const runner = runnerOf(one, token)
  return { ...one, runner: { ...runner, beatAt: now } }
}

/** What the runner with `token` has begun or ended at a host; hosts in their order, phases in theirs. */
export function reported(one: Roll, token: number, report: Report, now: number): Roll {
  const beat = beaten(one, token, now)
  const at = stepOf(beat, report.host)
  const before = beat.steps.slice(0, beat.steps.indexOf(at))
  const unfinished = before.find(({ state }) => state !== 'done' && state !== 'skipped')
  if (unfinished !== undefined)
    throw new PlatformError(
      'conflict',
      `${unfinished.host} comes before ${report.host}, and is ${unfinished.state}`,
    )
  if (at.state !== 'waiting' && at.state !== 'running')
    throw new PlatformError('conflict', `${report.host} is ${at.state} already`)
  if (at.phase !== null && phases.indexOf(report.phase) < phases.indexOf(at.phase))
    throw new PlatformError('conflict', `${report.host} is in phase ${at.phase} already`)
  if (report.state === 'done' && report.phase !== 'return')
    throw new PlatformError('conflict', `a host is done after phase return, not after ${report.phase}`)
  const step: Step = {
    ...at,
    state: report.state,
    phase: report.phase,
    note: report.note === undefined ? null : report.note.slice(0, maxNote),
    startedAt: at.startedAt ?? now,
    endedAt: report.state === 'running' ? null : now,
  }
  const after = withStep(beat, step)
  if (report.state === 'failed') return ended(after, 'failed', `${step.host}: ${step.note ?? 'failed'}`, now)
  const left = after.steps.some(({ state }) => state === 'waiting' || state === 'running')
  return left ? after : ended(after, 'done', null, now)
}

/** The runner stops as wished, between two hosts or two phases. */
export function halted(one: Roll, token: number, now: number): Roll {
  const beat = beaten(one, token, now)
  if (beat.wish === 'abort') return ended(beat, 'aborted', 'aborted', now)
  return { ...beat, state: beat.wish === 'pause' ? 'paused' : 'ready' }
}

function open(one: Roll): void {
  if (isOver(one)) throw new PlatformError('conflict', `the roll is ${one.state} already`)
}

function runnerLives({ state, runner }: Roll, now: number): boolean {
  return state === 'running' && runner !== null && now - runner.beatAt < leaseMs
}

function runnerOf(one: Roll, token: number): NonNullable<Roll['runner']> {
  open(one)
  const { runner, state } = one
  if (runner?.token === token && state === 'running') return runner
  throw new PlatformError('conflict', `${runner?.name ?? 'nobody'} carries it out now; stop`)
}

function stepOf(one: Roll, host: string): Step {
  const step = one.steps.find((each) => each.host === host)
  if (step === undefined) throw new PlatformError('invalid_field', `"${host}" is no host of it`, 'host')
  return step
}

function withStep(one: Roll, step: Step): Roll {
  return { ...one, steps: one.steps.map((each) => (each.host === step.host ? step : each)) }
}

function ended(one: Roll, state: 'done' | 'failed' | 'aborted', note: string | null, now: number): Roll {
  return { ...one, state, note, endedAt: now }
}
