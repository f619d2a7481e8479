import type { Override } from './vote.ts'

/** The person's word in force for each subject at `now` (milliseconds since 1970): the latest that has not expired. */
export function inForce(overrides: readonly Override[], now: number): ReadonlyMap<string, Override> {
  const words = new Map<string, Override>()
  for (const one of overrides) {
    if (one.expiresAt !== undefined && one.expiresAt <= now) continue
    const other = words.get(one.subject)
    if (other === undefined || later(one, other)) words.set(one.subject, one)
  }
  return words
}

/** Of two at the same time every checker must take the same one. */
function later(a: Override, b: Override): boolean {
  return a.at === b.at ? JSON.stringify(a) > JSON.stringify(b) : a.at > b.at
}

/** Whether it takes the subject out of DNS: nothing of its own weight is nothing. */
export function saysOut(word: Override | undefined): boolean {
  return word !== undefined && (word.action === 'out' || percentOf(word) === 0)
}

export function saysIn(word: Override | undefined): boolean {
  return word?.action === 'in'
}

/** Percent of its own weight that a subject has by a person's word. */
export function percentOf(word: Override | undefined): number {
  if (word === undefined || word.action === 'in') return 100
  return word.action === 'out' ? 0 : (word.percent ?? 100)
}

/** `out by anna until 14:05Z: new disks` */
export function wordReason({ action, percent, owner, expiresAt, reason }: Override): string {
  const what = action === 'weight' ? `${percent ?? 100} %` : action
  const end = expiresAt === undefined ? '' : ` until ${new Date(expiresAt).toISOString().slice(0, 16)}Z`
  return `${what} by ${owner}${end}: ${reason}`
}
