import type { Host } from '#platform/inventory/inventory.ts'
import { errorLine } from '#scripts/output.ts'
import type { Fleet } from '#scripts/roll/fleet.ts'
import type { ShownRoll } from '#scripts/roll/ledger.ts'
import { compareVersions, runsRelease } from '#scripts/roll/releases.ts'
import type { Outcome } from './jobs.ts'

/** What an upgrade gives to which hosts, and what one gets back that is not well with it. */
interface Upgrade {
  readonly version: string
  readonly previous: string
  readonly hosts: readonly Host[]
}

/** As many as the API gives at once: years of rolls of every day. */
const looksBack = 1000

/**
 * The upgrade of these hosts to the newest release that a schedule may take, how the job ends without one (nothing is newer, or a
 * person is asked for), or what it waits for. What was tried in vain or taken back is left to people.
 */
export async function nextUpgrade(
  { client, releases, newest }: Fleet,
  chosen: readonly Host[],
): Promise<Upgrade | Outcome | string> {
  let version: string | undefined
  try {
    version = await newest?.()
  } catch (error) {
    return failed(errorLine(error))
  }
  if (releases === undefined || version === undefined) {
    return failed(
      'no release is here that it may take: upgrades/cinque-RELEASE.tar, by cinque release pack --out upgrades',
    )
  }
  const { items } = await client.get('/v1/rolls', { params: { query: { limit: looksBack } } })
  const current = items.at(0)
  if (current !== undefined && current.ended_at === null) return `${current.kind} ${current.id} is under way`
  const hosts = chosen.filter(runsRelease)
  const running = await releases(hosts)
  const told = new Set(Array.from(running.values(), (some) => some.map(({ name }) => name)).flat())
  const silent = hosts.filter(({ name }) => !told.has(name)).map(({ name }) => name)
  if (silent.length > 0) return failed(`${silent.join(', ')} cannot be asked which release runs there`)
  const [previous, ...others] = Array.from(running.keys()).filter((release) => release !== version)
  if (previous === undefined) return { state: 'done', note: `all run ${version}, the newest here` }
  const byHand = `cinque roll upgrade --to ${version} --previous RELEASE`
  if (others.length > 0) return failed(`hosts run ${[previous, ...others].join(', ')}: ${byHand}`)
  const newer = compareVersions(version, previous)
  if (newer < 0)
    return { state: 'done', note: `hosts run ${previous}, newer than ${version}, the newest here` }
  if (newer === 0) return failed(`${version} and ${previous}, which hosts run, have one version: ${byHand}`)
  const last = items.find((roll) => tells(roll, version))
  if (last !== undefined && (last.version !== version || last.state !== 'done')) {
    const why = last.version === version ? 'was tried in vain' : 'was taken back'
    return failed(`${version} ${why} by roll ${last.id}: bring a newer one, or ${byHand}`)
  }
  const has = new Set(running.get(version)?.map(({ name }) => name))
  return { version, previous, hosts: hosts.filter(({ name }) => !has.has(name)) }
}

/** Whether it shows if a release is any good: one that a gate or ssh has ended does not. */
function tells({ kind, version, previous, state, steps }: ShownRoll, release: string): boolean {
  if (kind !== 'upgrade') return false
  const unwell = steps.some((step) => step.state === 'failed' && ['act', 'settle'].includes(step.phase ?? ''))
  return version === release ? state === 'done' || unwell : previous === release && state === 'done'
}

function failed(note: string): Outcome {
  return { state: 'failed', note }
}
