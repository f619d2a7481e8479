import { pause } from '#scripts/pause.ts'
import type { CheckerStandings } from '#scripts/client/standings.ts'
import type { Device } from './device.ts'
import type { Fault } from './faults.ts'
import { type Mark, Timeline } from './timeline.ts'
import type { World } from './world.ts'

/** What was seen of one fault. */
export interface Outcome {
  readonly fault: Fault
  readonly timeline: Timeline
  /** Devices that were connected to what failed. */
  readonly devices: number
  /** Messages acknowledged until now, and how many of them have not come. */
  readonly acknowledged: number
  readonly lost: number
  /** What is not as it should be; null: nothing. */
  readonly wrong: string | null
  /** Of a fault after which everything stays: what was said of it. */
  readonly seen: string | null
}

const lookMs = 250
/** Everything must have moved by then. */
const movesMs = 150_000
/** For how long nothing may change. */
const staysMs = 45_000
/** Until a DC that was away is started, said to be up again, and has all of its share. */
const failbackMs = 360_000
/** So many looks in a row without the address: with two hosts an answer may lack one by chance. */
const surely = 3

/** Makes a fault, watches what comes of it, undoes it, watches that. Rejects when it can't be made. */
export async function observe(world: World, fault: Fault, say: (line: string) => void): Promise<Outcome> {
  await world.calm()
  const timeline = new Timeline(say)
  const gone = world.addressesOf(fault.subject)
  const affected = world.fleet.at(gone)
  timeline.begin(`${fault.what}; ${affected.length} devices connected there`)
  await fault.begin(world)
  const seen = fault.outcome === 'stays' ? await staying(world, fault, say) : null
  const moved =
    fault.outcome === 'moves'
      ? await moving(world, fault, { timeline, gone, affected })
      : (seen?.wrong ?? null)
  timeline.begin('undone')
  await fault.undo(world)
  const back = fault.outcome === 'moves' ? await failingBack(world, fault, timeline) : null
  const lost = await world.settled()
  const { acknowledged } = world.fleet
  const refused = world.fleet.refusals()
  say(`${acknowledged} messages acknowledged, ${lost} lost, ${refused.length} refused ${refused[0] ?? ''}`)
  if (world.fleet.waiting > 0) say(`${world.fleet.waiting} wait still`)
  const outcome = { fault, timeline, devices: affected.length, acknowledged, lost }
  return { ...outcome, wrong: moved ?? back, seen: seen?.said ?? null }
}

interface Watched {
  readonly timeline: Timeline
  /** Addresses of what failed. */
  readonly gone: readonly string[]
  readonly affected: readonly Device[]
}

/** Until it is out of DNS and everybody is elsewhere; says what has not happened. */
async function moving(world: World, fault: Fault, watched: Watched): Promise<string | null> {
  const { timeline } = watched
  const wanted: Mark[] = [
    'vote',
    'quorum',
    'dns',
    ...(fault.cuts.devices ? (['half', 'most'] as const) : []),
    ...(fault.cuts.users ? (['users'] as const) : []),
  ]
  const answers = new Absence(watched.gone)
  while (wanted.some((mark) => !timeline.has(mark))) {
    const late = wanted.filter((mark) => !timeline.has(mark))
    if (performance.now() - timeline.from > movesMs)
      return `not within ${movesMs / 1000} s: ${late.join(', ')}`
    const [views, given] = await Promise.all([world.views(), world.answers()])
    noteVotes(views, fault.subject, timeline)
    const since = answers.look(given)
    if (since !== null) timeline.note('dns', since)
    if (fault.cuts.devices) noteDevices(watched)
    if (fault.cuts.users) noteUsers(world, timeline)
    await pause(lookMs)
  }
  return null
}

function noteVotes(views: readonly CheckerStandings[], subject: string, timeline: Timeline): void {
  for (const { checker, subjects } of views) {
    const seen = subjects.find((one) => one.subject === subject)
    if (seen?.vote === 'down') timeline.note('vote', performance.now(), `${checker}: ${seen.reason}`)
    if (seen?.serving === false) timeline.note('quorum', performance.now(), `${checker}: ${seen.reason}`)
  }
}

/** A device is back when a message of it was acknowledged by a host that has not failed. */
function noteDevices({ timeline, gone, affected }: Watched): void {
  const moved = affected.filter(({ connected, host }) => connected && host !== null && !gone.includes(host))
  const back = moved.filter(({ ackedAt, connectedAt }) => ackedAt > connectedAt).length
  if (moved.length >= affected.length * 0.99) timeline.note('there')
  if (back >= affected.length * 0.5) timeline.note('half', performance.now(), `${back} of ${affected.length}`)
  if (back >= affected.length * 0.99)
    timeline.note('most', performance.now(), `${back} of ${affected.length}`)
}

function noteUsers({ user }: World, timeline: Timeline): void {
  const failed = user.failedAt > timeline.from
  if (failed && user.goodAt > user.failedAt) timeline.note('users', user.goodAt)
  // With several hosts the user may never have met the one that failed.
  else if (!failed && timeline.has('dns')) timeline.note('users', timeline.from, 'never noticed')
}

/** Since when no name server gives any of the addresses. */
class Absence {
  readonly #gone: readonly string[]
  #looks = 0
  #since = 0

  constructor(gone: readonly string[]) {
    this.#gone = gone
  }

  /** `performance.now` of the first look without them, once it is sure; null: not yet. */
  look(answers: readonly ReadonlySet<string>[]): number | null {
    const absent = answers.length > 0 && answers.every((given) => !this.#gone.some((one) => given.has(one)))
    if (!absent) this.#looks = 0
    else if (++this.#looks === 1) this.#since = performance.now()
    return this.#looks >= surely ? this.#since : null
  }
}

/** Nothing must change: no DC or host is taken out, no device cut off. */
async function staying(
  world: World,
  fault: Fault,
  say: (line: string) => void,
): Promise<{ said: string | null; wrong: string | null }> {
  const from = performance.now()
  let said: string | null = null
  while (performance.now() - from < staysMs) {
    const views = await world.views()
    for (const { checker, subjects } of views) {
      for (const { subject, serving, reason } of subjects) {
        if (!serving) return { said, wrong: `${checker} has taken ${subject} out: ${reason}` }
      }
    }
    if (said === null) {
      said = (await fault.seen?.(world)) ?? null
      if (said !== null) say(`${((performance.now() - from) / 1000).toFixed(1).padStart(6)} s  ${said}`)
    }
    await pause(lookMs)
  }
  return { said, wrong: said === null && fault.seen !== undefined ? 'what should be said was not' : null }
}

/** Until it has its whole share again; says what has not happened. */
async function failingBack(world: World, { subject }: Fault, timeline: Timeline): Promise<string | null> {
  while (!timeline.has('done')) {
    if (performance.now() - timeline.from > failbackMs) return `not back within ${failbackMs / 1000} s`
    const all = (await world.views()).flatMap(({ subjects }) =>
      subjects.filter((one) => one.subject === subject),
    )
    const shares = all.map(({ serving, percent }) => (serving ? percent : 0))
    if (shares.some((share) => share > 0))
      timeline.note('begun', performance.now(), `${Math.max(...shares)} %`)
    if (timeline.has('begun') && shares.length > 0 && shares.every((share) => share === 100))
      timeline.note('done')
    await pause(lookMs)
  }
  return null
}
