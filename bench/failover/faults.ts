import { makeCertificates } from '#platform/pki/certificates.ts'
import { namesOf } from '#scripts/cell/names.ts'
import type { CheckerStandings } from '#scripts/client/standings.ts'
import { Liar } from './liar.ts'
import type { World } from './world.ts'

/** Something that fails, and what is to come of it. */
export interface Fault {
  readonly name: string
  /** As it stands in the table. */
  readonly what: string
  /** App hosts that each DC must have. */
  readonly apps: 1 | 2
  /** DC or host that is looked at. */
  readonly subject: string
  /** `moves`: it is taken out of DNS, and devices go elsewhere; `stays`: nothing of that happens. */
  readonly outcome: 'moves' | 'stays'
  /** Whether devices that are connected to the subject, and users that use it, are cut off. */
  readonly cuts: { readonly devices: boolean; readonly users: boolean }
  /** For `stays`: what is said when it is as it should be; undefined: not yet. */
  readonly seen?: (world: World) => Promise<string | undefined>
  begin(world: World): Promise<void>
  undo(world: World): Promise<void>
}

/** Milliseconds, each way: requests are slow then, and still answered in time. */
const slowMs = 550
/** Half a day ago, as certificates begin a day before they are made. */
const expiredDays = -0.5

const dc03Of = ({ subjects }: CheckerStandings) => subjects.find(({ subject }) => subject === 'dc03')

const nobody = { devices: false, users: false }
const everybody = { devices: true, users: true }

export const faults: readonly Fault[] = [
  {
    name: 'dc',
    what: 'dc03 killed',
    apps: 1,
    subject: 'dc03',
    outcome: 'moves',
    cuts: everybody,
    begin: ({ victim }) => victim.kill(),
    undo: ({ victim }) => victim.start(),
  },
  {
    name: 'host',
    what: 'one of two app hosts of dc03 killed',
    apps: 2,
    subject: 'dc03-n2',
    outcome: 'moves',
    cuts: everybody,
    begin: ({ victim }) => victim.kill({ host: 'dc03-n2' }),
    undo: ({ victim }) => victim.start({ host: 'dc03-n2' }),
  },
  part('api', 'API of dc03 killed', { devices: false, users: true }),
  part('broker', 'brokers of dc03 killed', { devices: true, users: false }),
  part('cassandra', 'Cassandra of dc03 killed', everybody),
  {
    name: 'cut',
    what: 'no packets between dc01 and dc03',
    apps: 1,
    subject: 'dc03',
    outcome: 'stays',
    cuts: nobody,
    seen: async (world) => {
      const views = await world.views()
      const against = views.filter((view) => dc03Of(view)?.vote === 'down')
      return against.length === 0
        ? undefined
        : `down says ${against.map(({ checker }) => checker).join(', ')}: no quorum`
    },
    begin: ({ cell, victim }) => cell.dc('dc01').cut(victim),
    undo: ({ cell, victim }) => cell.dc('dc01').heal(victim),
  },
  {
    name: 'cut-off',
    what: 'checker of dc02 cut off',
    apps: 1,
    subject: 'dc03',
    outcome: 'stays',
    cuts: nobody,
    seen: async (world) => {
      const view = (await world.views()).find(({ checker }) => checker === 'dc02-checker')
      return view?.abstains == null ? undefined : `it abstains: ${view.abstains}`
    },
    begin: ({ cell }) => cell.dc('dc02').cutChecker(true),
    undo: ({ cell }) => cell.dc('dc02').cutChecker(false),
  },
  liar(),
  {
    name: 'slow',
    what: `packets from and to dc03 ${slowMs} ms late`,
    apps: 1,
    subject: 'dc03',
    outcome: 'stays',
    cuts: nobody,
    seen: async (world) => {
      const states = (await world.views()).map((view) => dc03Of(view)?.state)
      const degraded = states.filter((state) => state === 'degraded').length
      return degraded === states.length ? `degraded at all ${degraded} checkers` : undefined
    },
    begin: ({ victim }) => victim.slow(slowMs),
    undo: ({ victim }) => victim.slow(0),
  },
  {
    name: 'checkers',
    what: 'four of five checkers killed, then the API of dc03',
    apps: 1,
    subject: 'dc03',
    outcome: 'stays',
    cuts: { devices: false, users: true },
    seen: async (world) => {
      const [view] = await world.views()
      const { vote, serving } = (view && dc03Of(view)) ?? {}
      return vote === 'down' && serving === true ? 'the one that is left says down: no quorum' : undefined
    },
    begin: async (world) => {
      await Promise.all(othersOf(world).map((dc) => dc.kill('checker')))
      await world.victim.kill('api')
    },
    undo: async (world) => {
      await world.victim.start('api')
      await Promise.all(othersOf(world).map((dc) => dc.start('checker')))
    },
  },
  {
    name: 'certificate',
    what: 'certificates of dc03 expired',
    apps: 1,
    subject: 'dc03',
    outcome: 'moves',
    cuts: { devices: false, users: true },
    begin: (world) => certify(world, expiredDays),
    undo: (world) => certify(world),
  },
]

function part(kind: 'api' | 'broker' | 'cassandra', what: string, cuts: Fault['cuts']): Fault {
  return {
    name: kind,
    what,
    apps: 1,
    subject: 'dc03',
    outcome: 'moves',
    cuts,
    begin: ({ victim }) => victim.kill(kind),
    undo: ({ victim }) => victim.start(kind),
  }
}

/** A checker that says dc03 is down, signed and in time. */
function liar(): Fault {
  let lying: Liar | null = null
  return {
    name: 'liar',
    what: 'checker of dc02 lies: dc03 is down',
    apps: 1,
    subject: 'dc03',
    outcome: 'stays',
    cuts: nobody,
    seen: (world) => {
      const heard = lying?.asked.size ?? 0
      return Promise.resolve(
        heard < world.cell.dcs.length - 1 ? undefined : `heard by ${heard} checkers: no quorum`,
      )
    },
    begin: async ({ cell }) => {
      await cell.dc('dc02').kill('checker')
      lying = await Liar.start(cell, 'dc02-checker', ['dc03', 'dc03-n1'])
    },
    undo: async ({ cell }) => {
      await lying?.stop()
      await cell.dc('dc02').start('checker')
    },
  }
}

/** All but the victim and its nearest neighbour. */
function othersOf({ cell, victim }: World): World['cell']['dcs'] {
  return cell.dcs.filter((dc) => dc !== victim)
}

/** New certificates for the hosts of the victim; they are read by themselves. */
async function certify({ cell }: World, days?: number): Promise<void> {
  const { inventory } = cell
  await makeCertificates({
    directory: cell.caFile.replace(/\/[^/]*$/, ''),
    requests: inventory.hosts
      .filter(({ dc, roles }) => dc === 'dc03' && roles.includes('app'))
      .map((host) => ({ name: host.name, dns: namesOf(inventory, host), ips: [host.address] })),
    ...(days === undefined ? {} : { days }),
  })
}
