import type { Clock } from '../clock.ts'
import type { Letters } from '../identity/letters.ts'
import type { Users } from '../identity/users.ts'
import { isOver, type Roll } from '../rolls/roll.ts'
import type { Rolls } from '../rolls/rolls.ts'
import type { ScheduleRun } from '../schedules/schedule.ts'
import type { Schedules } from '../schedules/schedules.ts'
import type { Outbox } from './outbox.ts'

/** What happened before is no news, ms. */
const newsMs = 24 * 3_600_000
/** Between two looks, ms: nobody reads letters faster. */
const lookMs = 30_000

interface News {
  readonly id: string
  readonly subject: string
  readonly text: string
  /** Who knows already. */
  readonly except?: string
}

interface Parts {
  readonly rolls: Pick<Rolls, 'current'>
  readonly schedules: Pick<Schedules, 'list' | 'runs'>
  readonly users: Pick<Users, 'administrators'>
  readonly letters: Letters
  readonly outbox: Outbox
  readonly clock: Clock
}

/**
 * Letters to the administrators of what needs them: a roll that failed or waits for approval, a time of a schedule that
 * failed. They are made of what is in the store, so that none is missing whoever died, and by their ids each is one,
 * whichever process finds it first.
 */
export class FleetLetters {
  readonly #parts: Parts
  readonly #put = new Set<string>()
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Has letters waiting for all that is new. Rejects with StoreError. */
  async gather(): Promise<void> {
    const { clock, letters, outbox, users } = this.#parts
    const now = clock.now()
    if (!letters.sendable || Math.abs(now - this.#lookedAt) < lookMs) return
    this.#lookedAt = now
    const news = [...(await this.#ofRoll(now)), ...(await this.#ofSchedules(now))]
    const unknown = news.filter(({ id }) => !this.#put.has(id))
    if (unknown.length === 0) return
    const administrators = await users.administrators()
    for (const { id, subject, text, except } of unknown) {
      for (const { id: user, email } of administrators) {
        const letter = `${id}-${user}`
        // oxlint-disable-next-line no-await-in-loop -- few
        if (email === except || (await outbox.claimOf(letter)) !== undefined) continue
        // oxlint-disable-next-line no-await-in-loop
        await letters.tell(letter, { to: email, subject: `cinque: ${subject}`, text })
      }
      this.#put.add(id)
    }
  }

  async #ofRoll(now: number): Promise<News[]> {
    const roll = await this.#parts.rolls.current()
    if (roll === undefined || now - (roll.endedAt ?? roll.createdAt) > newsMs) return []
    if (roll.state === 'failed') return [failedRoll(roll)]
    return roll.approval === 'wanted' && !isOver(roll) ? [wantedRoll(roll)] : []
  }

  async #ofSchedules(now: number): Promise<News[]> {
    const { schedules } = this.#parts
    const all = await schedules.list()
    const runs = await Promise.all(all.map(({ name }) => schedules.runs(name, 1)))
    return runs.flat().flatMap((run) => {
      const fresh = run.endedAt !== null && now - run.endedAt <= newsMs
      return run.state === 'failed' && fresh ? [failedRun(run)] : []
    })
  }
}

function failedRoll({ id, kind, note, steps }: Roll): News {
  const failed = steps.find(({ state }) => state === 'failed')
  return {
    id: `roll-${id}-failed`,
    subject: `${kind} failed${failed === undefined ? '' : ` at ${failed.host}`}`,
    text: `${note ?? 'no reason is known'}\n\nWhat is left: cinque roll show ${id}\nWhat to do: docs/operations/rolling.md\n`,
  }
}

function wantedRoll({ id, kind, actor, reason, steps }: Roll): News {
  return {
    id: `roll-${id}-wanted`,
    subject: `${actor} asks you to approve a ${kind} of ${steps.length} hosts`,
    text: `Reason: ${reason}\nHosts: ${steps.map(({ host }) => host).join(', ')}\n\ncinque roll approve ${id}\n`,
    except: actor,
  }
}

function failedRun({ schedule, due, note, runner }: ScheduleRun): News {
  return {
    id: `schedule-${schedule}-${due}-failed`,
    subject: `schedule ${schedule} failed`,
    text: `Due ${new Date(due).toISOString()}, by ${runner}: ${note ?? 'no reason is known'}\n\nAll times: cinque schedules runs ${schedule}\n`,
  }
}
