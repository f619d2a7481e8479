import { type Host, type Inventory, outside } from './inventory.ts'

/** What works, and would hurt one day: the field, and what to do about it. */
export interface Concern {
  readonly field: string
  readonly message: string
}

/** Where a vote comes from: it is worth as much as it is independent of the others. */
const leastCheckers = 3

/** What is doubtful about an inventory that is right in itself. Pure. */
export function concernsOf(inventory: Inventory): Concern[] {
  return [
    ...sharedProviders(inventory),
    ...thinDcs(inventory),
    ...checkers(inventory),
    ...unpriced(inventory),
    ...unknownLocations(inventory),
    ...(inventory.dns === undefined
      ? [{ field: 'dns', message: 'the cell has no names: clients must know addresses; add dns.zone' }]
      : []),
  ]
}

/** Who rents a host out. */
export function providerOf(inventory: Inventory, host: Host): string | undefined {
  return host.provider ?? inventory.dcs.find(({ name }) => name === host.dc)?.provider
}

function sharedProviders(inventory: Inventory): Concern[] {
  const providers = inventory.dcs.map(({ name }) => ({
    name,
    providers: new Set(
      inventory.hosts.filter(({ dc }) => dc === name).map((host) => providerOf(inventory, host)),
    ),
  }))
  return providers.flatMap(({ name, providers: mine }, at) =>
    providers.slice(at + 1).flatMap(({ name: other, providers: theirs }) =>
      [...mine].flatMap((provider) =>
        provider !== undefined && theirs.has(provider)
          ? [
              {
                field: `dcs[${at}].provider`,
                message: `${name} and ${other} are both at ${provider}: one mistake there takes both; move one`,
              },
            ]
          : [],
      ),
    ),
  )
}

/** With one app host a restart takes the whole DC out; without a spare db host a reinstall is a loss of a replica. */
function thinDcs({ dcs, hosts }: Inventory): Concern[] {
  return dcs.flatMap(({ name, kind }, at) => {
    const apps = hosts.filter(({ dc, roles }) => dc === name && roles.includes('app')).length
    return kind === 'live' && apps === 1
      ? [
          {
            field: `dcs[${at}]`,
            message: `${name} has one host with role app: each restart takes it out of DNS; add another`,
          },
        ]
      : []
  })
}

function checkers({ hosts, health, dcs }: Inventory): Concern[] {
  const all = hosts.filter(({ roles }) => roles.includes('checker'))
  if (all.length < leastCheckers) {
    return [
      {
        field: 'hosts',
        message: `${all.length} hosts have role checker: a DC in trouble stays in DNS; give it to ${leastCheckers} or more`,
      },
    ]
  }
  const concerns: Concern[] = []
  for (const { name } of dcs) {
    const inside = all.filter(({ dc }) => dc === name).length
    if (inside >= health.quorum) {
      concerns.push({
        field: 'health.quorum',
        message: `the ${inside} checkers of ${name} are a quorum alone: a cut around it would be taken for the end of the others; spread them, or raise it`,
      })
    }
    const left = all.length - inside
    if (left < health.quorum) {
      concerns.push({
        field: 'health.quorum',
        message: `when ${name} is lost, ${left} checkers are left for ${health.quorum} votes, and it stays in DNS; add checkers elsewhere, or lower it`,
      })
    }
  }
  if (all.length > 0 && all.every(({ dc }) => dc !== outside)) {
    concerns.push({
      field: 'hosts',
      message: `no checker is outside of all DCs (dc: ${outside}): none sees what a device at home sees; add one`,
    })
  }
  return concerns
}

function unpriced({ hosts }: Inventory): Concern[] {
  const without = hosts.filter(({ price }) => price === undefined)
  if (without.length === 0) return []
  const names = without
    .slice(0, 3)
    .map(({ name }) => name)
    .join(', ')
  const more = without.length > 3 ? `, and ${without.length - 3} more` : ''
  return [
    {
      field: 'hosts',
      message: `no price: ${names}${more}; \`cinque cost\` counts them as nothing; add price`,
    },
  ]
}

/** Where the order of DCs in a region follows from distances, a DC without a place comes last in all of them. */
function unknownLocations({ dcs, dns }: Inventory): Concern[] {
  const byDistance =
    dns !== undefined && (dns.regions ?? [{ chain: undefined }]).some((one) => one.chain === undefined)
  if (!byDistance) return []
  return dcs.flatMap(({ name, location }, at) =>
    location === undefined
      ? [
          {
            field: `dcs[${at}].location`,
            message: `it is not known where ${name} is: it comes last in regions without a chain; say it`,
          },
        ]
      : [],
  )
}
