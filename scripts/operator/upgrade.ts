import type { Host } from '#platform/inventory/inventory.ts'
import type { Fleet } from '#scripts/roll/fleet.ts'
import { compareVersions } from '#scripts/roll/newest-release.ts'
import type { Outcome } from './jobs.ts'

/** What an upgrade gives to which hosts, and what one gets back that is not well with it. */
interface Upgrade {
  readonly version: string
  readonly previous: string
  readonly hosts: readonly Host[]
}

/**
 * The upgrade of these hosts to the newest release there is, or how the job ends without one: nothing is newer, or a person is
 * asked for. A release that a schedule has tried in vain is not tried again.
 */
export async function nextUpgrade(
  { client, releases, newest }: Fleet,
  chosen: readonly Host[],
): Promise<Upgrade | Outcome> {
  const version = newest?.()
  if (releases === undefined || version === undefined) {
    return failed(
      'no release is here: artifacts/cinque-RELEASE.tar beside the inventory, by cinque release pack',
    )
  }
  // Hosts with nothing but Cassandra run nothing of a release.
  const hosts = chosen.filter(({ roles }) => roles.some((role) => role !== 'db'))
  const running = await releases(hosts)
  if (running.size === 0) return failed('no host tells what it runs')
  const has = new Set((running.get(version) ?? []).map(({ name }) => name))
  const others = Array.from(running.keys()).filter((release) => release !== version)
  const [previous] = others
  if (previous === undefined) return { state: 'done', note: `all run ${version}, the newest here` }
  if (others.length > 1) {
    return failed(`hosts run ${others.join(', ')}: cinque roll upgrade --to ${version} --previous RELEASE`)
  }
  if (compareVersions(version, previous) < 0) {
    return { state: 'done', note: `hosts run ${previous}, newer than ${version}, the newest here` }
  }
  const { items } = await client.get('/v1/rolls', { params: { query: { limit: 50 } } })
  const tried = items.find(
    (roll) => roll.version === version && roll.state === 'failed' && roll.reason.startsWith('schedule '),
  )
  if (tried !== undefined) {
    return failed(
      `${version} was tried in vain by roll ${tried.id}: bring a newer one, or cinque roll upgrade --to ${version}`,
    )
  }
  return { version, previous, hosts: hosts.filter(({ name }) => !has.has(name)) }
}

function failed(note: string): Outcome {
  return { state: 'failed', note }
}
