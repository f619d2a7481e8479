import { z } from 'zod'
import { type Plan, isRunning } from '#platform/maintenance/plan.ts'
import type { Alert } from '../alerts/alert.ts'
import { type Announcement, announcementOf, type Places } from './announcements.ts'

/** What it means for customers. */
const impacts = ['minor', 'major', 'critical'] as const

const incident = z.strictObject({
  /** Good in an address: `20261121T1403Z-dcdown-dc03`. */
  id: z.string().regex(/^[A-Za-z0-9-]{1,100}$/),
  /** Of its alert. */
  key: z.string(),
  title: z.string(),
  impact: z.enum(impacts),
  subjects: z.array(z.string()),
  /** Milliseconds since 1970. */
  openedAt: z.number(),
  closedAt: z.number().nullable(),
  /** The oldest first. */
  updates: z.array(z.strictObject({ at: z.number(), text: z.string() })),
})
export const keptIncidents = z.array(incident)
export type Incident = z.output<typeof incident>

/** Incidents that are kept, and news of one of them. */
const maxIncidents = 300
const maxUpdates = 20
const keptMs = 90 * 86_400_000
/** One that comes back within that time goes on. */
const reopenMs = 30 * 60_000

/** What customers are told of: opened, updated and closed by what alerts there are. */
export class Incidents {
  /** The newest first. */
  #list: Incident[]
  readonly #places: Places

  constructor(places: Places, kept: readonly Incident[] = []) {
    this.#places = places
    this.#list = [...kept]
  }

  /** The newest first; those that are open also when they are old. */
  get list(): readonly Incident[] {
    return this.#list
  }

  /** Follows the alerts; true: something has changed. Who is told of planned maintenance is not told of its effects. */
  look(alerts: readonly Alert[], plans: readonly Plan[], at: number): boolean {
    let changed = false
    const seen = new Set<string>()
    for (const alert of alerts) {
      const told = announcementOf(alert, this.#places)
      if (told === null) continue
      const known = this.#list.find(({ key, closedAt }) => key === alert.key && closedAt === null)
      if (known === undefined && (alert.follows === true || isPlanned(alert, plans, at))) continue
      seen.add(alert.key)
      changed = (known === undefined ? this.#open(alert, told, at) : update(known, told, at)) || changed
    }
    for (const one of this.#list) {
      if (one.closedAt !== null || seen.has(one.key)) continue
      one.closedAt = at
      say(one, at, this.#places.over(one.key))
      changed = true
    }
    return this.#forget(at) || changed
  }

  #open({ key, subject }: Alert, { title, impact, text }: Announcement, at: number): boolean {
    const before = this.#list.find((one) => one.key === key)
    if (before?.closedAt !== null && before !== undefined && Math.abs(at - before.closedAt) < reopenMs) {
      before.closedAt = null
      before.impact = impact
      say(before, at, `It is back: ${text}`)
      return true
    }
    const id = `${stamp(at)}-${key.replaceAll(/[^A-Za-z0-9]+/g, '-')}`.slice(0, 100)
    const subjects = subject === 'service' ? [] : [subject]
    this.#list.unshift({
      id,
      key,
      title,
      impact,
      subjects,
      openedAt: at,
      closedAt: null,
      updates: [{ at, text }],
    })
    return true
  }

  #forget(at: number): boolean {
    const kept = this.#list
      .filter(({ closedAt }) => closedAt === null || at - closedAt < keptMs)
      .slice(0, maxIncidents)
    const forgotten = kept.length < this.#list.length
    if (forgotten) this.#list = kept
    return forgotten
  }
}

/** Whether a maintenance window says that it may happen. Nobody plans to be down with all of it. */
export function isPlanned(
  { name, subject, dc }: Pick<Alert, 'name' | 'subject' | 'dc'>,
  plans: readonly Plan[],
  at: number,
): boolean {
  if (name === 'ServiceDown') return false
  return plans.some(
    (plan) =>
      plan.kind === 'maintenance' &&
      isRunning(plan, at) &&
      (plan.subjects.length === 0 ||
        plan.subjects.includes(subject) ||
        (dc !== undefined && plan.subjects.includes(dc))),
  )
}

function update(one: Incident, { title, impact, text }: Announcement, at: number): boolean {
  if (one.impact === impact && one.title === title) return false
  one.impact = impact
  one.title = title
  say(one, at, text)
  return true
}

function say(one: Incident, at: number, text: string): void {
  one.updates.push({ at, text })
  // The first one says what it was about.
  if (one.updates.length > maxUpdates) one.updates.splice(1, one.updates.length - maxUpdates)
}

/** `20261121T1403Z` */
function stamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replaceAll(/[-:]/g, '')}Z`
}
