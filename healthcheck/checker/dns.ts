import { loadPlaces, noPlaces } from '../dns/server/places.ts'
import { startDnsServer } from '../dns/server/server.ts'
import { nameServersOf } from '../dns/tree.ts'
import { dnsView } from '../dns/view.ts'
import type { Voting } from '../votes/voting.ts'
import type { CheckerOptions } from './checker.ts'
import { hostAndPortOf } from './listen.ts'

/** Answers DNS by the standings, if it is configured. Resolves with what ends it. Rejects with an Error of one line. */
export async function openDns(
  { config, inventory, log, metrics, timers }: CheckerOptions,
  voting: Voting,
): Promise<() => Promise<void>> {
  if (config.dns === undefined) return () => Promise.resolve()
  if (inventory.dns === undefined)
    throw new Error('dns: the inventory has no `dns`, so there is no zone to answer for')
  const { listen, places_file: file } = config.dns
  const view = dnsView(inventory)
  view.update(Array.from(voting.standings().values()))
  voting.onChange((_changed, all) => view.update(Array.from(all.values())))
  const server = await startDnsServer({
    listen: hostAndPortOf(listen),
    view,
    nameServers: nameServersOf(inventory),
    places: file === undefined ? noPlaces : loadPlaces(file),
    metrics,
    log,
    timers,
  })
  return () => server.close()
}
