import type { Host, Inventory } from './inventory.ts'

/** What is allowed but weak in an inventory, one line each with the field and the remedy: for people to read at a plan. */
export function inventoryWarnings(inventory: Inventory): string[] {
  return [...sharedProviders(inventory), ...fewCheckersLeft(inventory), ...unknownPlaces(inventory)]
}

/** One closed account or bad day of a provider takes all that is rented there. */
function* sharedProviders({ dcs, hosts }: Inventory): Generator<string> {
  const byProvider = new Map<string, Set<string>>()
  for (const host of hosts) {
    const provider = providerOf(host, dcs)
    if (provider === undefined || !host.roles.includes('app')) continue
    const inIt = byProvider.get(provider) ?? new Set()
    byProvider.set(provider, inIt.add(host.dc))
  }
  for (const [provider, inIt] of byProvider) {
    if (inIt.size < 2) continue
    const names = dcs.filter((one) => inIt.has(one.name)).map((one) => one.name)
    yield `dcs: ${names.join(', ')} have app hosts of one provider, ${provider}: they can go down together; rent one of them elsewhere`
  }
  for (const one of dcs) {
    const checkers = hosts.filter(({ dc, roles }) => dc === one.name && roles.includes('checker'))
    const onApp = checkers.find(({ roles }) => roles.includes('app'))
    if (onApp !== undefined) {
      yield `hosts: ${onApp.name} has roles app and checker: it looks at itself from inside; give the role checker to another host`
    }
  }
}

function providerOf({ dc: name, provider }: Host, dcs: Inventory['dcs']): string | undefined {
  return provider ?? dcs.find((one) => one.name === name)?.provider
}

/** A DC that goes takes its checkers with it, and what is left must still be able to say so. */
function* fewCheckersLeft({ dcs, hosts, health }: Inventory): Generator<string> {
  const checkers = hosts.filter(({ roles }) => roles.includes('checker'))
  if (checkers.length === 0) return
  for (const { name } of dcs) {
    const left = checkers.filter(({ dc }) => dc !== name).length
    if (left >= health.quorum) continue
    yield `health.quorum: when ${name} is lost, ${left} checkers are left for ${health.quorum} votes, and it stays in DNS; add checkers elsewhere or lower the quorum`
  }
}

function* unknownPlaces({ dcs, dns }: Inventory): Generator<string> {
  if (dns === undefined || (dns.regions ?? []).some(({ chain }) => chain !== undefined)) return
  for (const [at, { name, location }] of dcs.entries()) {
    if (location === undefined) {
      yield `dcs[${at}].location: it is not known where ${name} is: it comes last in every region; say it, or give the regions a chain`
    }
  }
}
