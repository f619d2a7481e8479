import { setTimeout as sleep } from 'node:timers/promises'
import { type Phase, phases, settingKinds } from '#platform/rolls/roll.ts'
import { leaseMs } from '#platform/rolls/transitions.ts'
import { errorLine } from '#scripts/output.ts'
import type { Hands } from './hands.ts'
import { HeldWord, wordMs } from './held-word.ts'
import { type Ledger, LostError, type ShownRoll } from './ledger.ts'
import { streamMs } from './services.ts'

/** How long a phase may take, ms. */
interface Limits {
  /** Waiting until the fleet can do without a host. */
  readonly gate: number
  readonly drain: number
  readonly act: number
  /** Waiting until it is well again; a db host streams its data back. */
  readonly settle: number
  readonly return: number
}

const defaultLimits: Limits = {
  gate: 1_800_000,
  drain: 180_000,
  act: 900_000,
  settle: 900_000,
  return: 120_000,
}
/** Ends the note of a host that was given its old version back. */
export const servesAgain = 'again and serves'

/** How often what is waited for is looked at, ms. */
const lookMs = 2000
const beatMs = leaseMs / 3

export interface Run {
  readonly ledger: Ledger
  readonly hands: Hands
  /** Of this process, as nobody else has it. */
  readonly name: string
  /** Aborts: the process is to end; another one goes on. */
  readonly signal: AbortSignal
  readonly limits?: Partial<Limits>
  readonly lookMs?: number
  /** Told of every change, for people. */
  readonly show: (roll: ShownRoll) => void
}

type Step = ShownRoll['steps'][number]

/**
 * Carries a roll out, host after host, from where it is; resolves with it as it was left: done, failed (the host stays
 * out of service), paused or aborted. Every phase is written down before it begins, so that whoever comes after does
 * the one under way again. Rejects with LostError if another runner has it now; with what stopped it otherwise.
 */
export async function carryOut(run: Run): Promise<ShownRoll> {
  const roll = await run.ledger.take(run.name)
  const token = roll.runner?.token ?? 0
  const hands = run.hands.under?.({ roll: roll.id, kind: roll.kind, token }) ?? run.hands
  const gone = new AbortController()
  const signal = AbortSignal.any([run.signal, gone.signal])
  const word = new HeldWord(hands)
  let underWay = false
  const beating = setInterval(() => {
    // While nobody can write it down one waits, not more and more of them.
    if (underWay) return
    underWay = true
    run.ledger
      .beat(token)
      .then((heard) => word.renew(beatOf(heard)))
      .catch((error: unknown) => {
        if (error instanceof LostError) gone.abort(error)
      })
      .finally(() => (underWay = false))
  }, beatMs)
  try {
    const limits = settingKinds.includes(roll.kind) ? { act: streamMs, ...run.limits } : { ...run.limits }
    return await new Carrier({ ...run, limits, hands, signal }, token, word).all(roll)
  } finally {
    clearInterval(beating)
    await word.release()
  }
}

/** When its runner was heard of last, by the platform's clock: that of whoever carries it out may be wrong. */
function beatOf({ runner }: ShownRoll): number {
  return runner === null ? 0 : Date.parse(runner.beat_at)
}

class Carrier {
  readonly #run: Run
  readonly #token: number
  readonly #limits: Limits
  readonly #word: HeldWord
  #roll!: ShownRoll

  constructor(run: Run, token: number, word: HeldWord) {
    this.#run = run
    this.#token = token
    this.#word = word
    this.#limits = { ...defaultLimits, ...run.limits }
  }

  async all(roll: ShownRoll): Promise<ShownRoll> {
    this.#shown(roll)
    for (const { host } of roll.steps) {
      // oxlint-disable-next-line no-await-in-loop -- one host at a time is the point
      const goesOn = await this.#host(host)
      if (!goesOn) return this.#roll
    }
    return this.#roll
  }

  /** False: no more hosts. */
  async #host(host: string): Promise<boolean> {
    const step = this.#step(host)
    if (step.state === 'done' || step.state === 'skipped') return true
    const from = step.phase === null ? 0 : phases.indexOf(step.phase)
    for (const phase of phases.slice(from)) {
      // A host that was begun is brought to its end; between hosts a person's word counts.
      // oxlint-disable-next-line no-await-in-loop
      if (phase === 'gate' && (await this.#halts())) return false
      // oxlint-disable-next-line no-await-in-loop
      if (!(await this.#phase(host, phase, phase === step.phase))) return false
    }
    this.#shown(await this.#run.ledger.report(this.#token, { host, phase: 'return', state: 'done' }))
    return true
  }

  async #halts(): Promise<boolean> {
    // What a person has wished since is in the answer.
    this.#shown(await this.#run.ledger.beat(this.#token))
    if (this.#roll.wish === 'go') return false
    this.#shown(await this.#run.ledger.halt(this.#token))
    return true
  }

  /** False: it failed, or stops in its gate as wished. `followed`: another runner may have died in it. */
  async #phase(host: string, phase: Phase, followed: boolean): Promise<boolean> {
    const { ledger, signal } = this.#run
    this.#shown(await ledger.report(this.#token, { host, phase, state: 'running' }))
    const late = AbortSignal.timeout(this.#limits[phase])
    try {
      if (phase === 'gate') return await this.#gate(host, AbortSignal.any([signal, late]))
      const bounded = AbortSignal.any([signal, late])
      if (followed && (phase === 'act' || phase === 'settle')) await this.#stayAway(host, phase, bounded)
      await this.#do(host, phase, bounded)
      return true
    } catch (error) {
      signal.throwIfAborted()
      const seconds = this.#limits[phase] / 1000
      await this.#fail(
        host,
        phase,
        late.aborted ? `not done after ${seconds} s: ${this.#why(error)}` : errorLine(error),
      )
      return false
    }
  }

  async #gate(host: string, signal: AbortSignal): Promise<boolean> {
    await this.#until(
      signal,
      async () => {
        const [first, ...more] = await this.#run.hands.obstacles(host, signal)
        if (first === undefined) return null
        if (await this.#halts()) return null
        return more.length === 0 ? first : `${first}, and ${more.length} more`
      },
      { host, phase: 'gate' },
    )
    return this.#roll.state === 'running'
  }

  /** What the runner before said of the host may have ended since. */
  #stayAway(host: string, phase: Phase, signal: AbortSignal): Promise<void> {
    const { hands } = this.#run
    const stay = async (): Promise<null> => {
      const until = this.#wordEnd()
      if (!(await hands.extend(host, until))) await hands.drain(host, until, signal)
      this.#word.hold(host, until)
      return null
    }
    return this.#until(signal, stay, { host, phase })
  }

  #wordEnd(): number {
    return beatOf(this.#roll) + wordMs
  }

  async #do(host: string, phase: Exclude<Phase, 'gate'>, signal: AbortSignal): Promise<void> {
    const { hands } = this.#run
    switch (phase) {
      case 'drain': {
        const until = this.#wordEnd()
        await hands.drain(host, until, signal)
        this.#word.hold(host, until)
        return
      }
      case 'act':
        try {
          return await this.#act(host, this.#roll.version, signal, this.#teller({ host, phase }))
        } finally {
          await this.#telling
        }
      case 'settle':
        return this.#until(signal, () => hands.ailment(host, signal), { host, phase })
      case 'return':
        return this.#readmit(host, signal)
    }
  }

  async #readmit(host: string, signal: AbortSignal): Promise<void> {
    await this.#word.release()
    await this.#run.hands.readmit(host, signal)
  }

  #act(
    host: string,
    version: string | null,
    signal: AbortSignal,
    tell?: (note: string) => void,
  ): Promise<void> {
    const { hands } = this.#run
    const { kind } = this.#roll
    if (kind === 'restart') return hands.restart(host, signal)
    if (kind === 'reinstall') return hands.reinstall(host, signal, tell)
    if (kind === 'upgrade') return hands.upgrade(host, version ?? '', signal, tell)
    if (kind === 'apply') return hands.apply(host, signal, tell)
    return hands.remove(host, signal, tell)
  }

  /** Writes down how far a phase is. What comes while that is under way is left out: the next word has it. */
  #teller(at: { host: string; phase: Phase }): (note: string) => void {
    let telling = false
    let last = ''
    return (note) => {
      if (telling || note === last) return
      telling = true
      last = note
      this.#telling = this.#run.ledger
        .report(this.#token, { ...at, state: 'running', note: note.slice(0, 500) })
        .then((roll) => this.#shown(roll))
        // It is a word to people; whoever is the runner no more learns so by his next report.
        .catch(() => undefined)
        .finally(() => (telling = false))
    }
  }

  #telling: Promise<void> = Promise.resolve()

  /** A host that is not well with a new version gets the old one back, and serves again; the others never get the new one. */
  async #fail(host: string, phase: Phase, why: string): Promise<void> {
    const { kind, previous } = this.#roll
    const acted = phase === 'act' || phase === 'settle'
    let note = why
    let serves = false
    if (kind === 'upgrade' && previous !== null && acted) {
      const outcome = await this.#takeBack(host, previous)
      serves = outcome.endsWith(servesAgain)
      note = `${why}; ${outcome}`
    }
    if (acted && !serves) note += await this.#leaveOut(host)
    this.#shown(
      await this.#run.ledger.report(this.#token, { host, phase, state: 'failed', note: note.slice(0, 500) }),
    )
  }

  async #takeBack(host: string, version: string): Promise<string> {
    const { hands, signal } = this.#run
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(this.#limits.act + this.#limits.settle)])
    try {
      await this.#act(host, version, bounded)
      await this.#until(bounded, () => hands.ailment(host, bounded), { host, phase: 'settle' })
      await this.#readmit(host, bounded)
      return `it has ${version} ${servesAgain}`
    } catch (error) {
      signal.throwIfAborted()
      return `and it could not be given ${version} again: ${this.#why(error)}`
    }
  }

  /** A host that failed stays out until a person, or the next roll of it, takes the word back. What is amiss with that. */
  async #leaveOut(host: string): Promise<string> {
    await this.#word.release()
    try {
      return (await this.#run.hands.extend(host, null)) ? '' : '; it is not out of DNS'
    } catch (error) {
      return `; it is out of DNS for ${wordMs / 60_000} minutes only: ${errorLine(error)}`
    }
  }

  #lastNote = ''

  #why(error: unknown): string {
    return this.#lastNote === '' ? errorLine(error) : this.#lastNote
  }

  /** Looks until there is nothing more to wait for; what it waits for is written down when it changes. */
  async #until(
    signal: AbortSignal,
    look: () => Promise<string | null>,
    at: { host: string; phase: Phase },
  ): Promise<void> {
    this.#lastNote = ''
    for (;;) {
      let note: string | null
      try {
        // oxlint-disable-next-line no-await-in-loop -- until it is so
        note = await look()
      } catch (error) {
        if (error instanceof LostError) throw error
        note = errorLine(error)
      }
      signal.throwIfAborted()
      if (note === null) return
      if (note !== this.#lastNote) {
        this.#lastNote = note
        const report = { ...at, state: 'running' as const, note: note.slice(0, 500) }
        // oxlint-disable-next-line no-await-in-loop
        this.#shown(await this.#run.ledger.report(this.#token, report))
      }
      // oxlint-disable-next-line no-await-in-loop
      await sleep(this.#run.lookMs ?? lookMs, undefined, { signal })
    }
  }

  #step(host: string): Step {
    const step = this.#roll.steps.find((each) => each.host === host)
    if (step === undefined) throw new Error(`${host} is gone from the roll`)
    return step
  }

  #shown(roll: ShownRoll): void {
    this.#roll = roll
    this.#run.show(roll)
  }
}
