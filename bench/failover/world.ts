import { readFileSync } from 'node:fs'
import { type Cell, type CellOptions, startCell } from '#scripts/cell/cell.ts'
import { deviceAddress } from '#scripts/cell/places.ts'
import { type CheckerStandings, standingsAt } from '#scripts/client/standings.ts'
import { pause } from '#scripts/pause.ts'
import { Fleet } from './fleet.ts'
import { NameServer } from './names.ts'
import { Receiver } from './receiver.ts'
import { User } from './user.ts'

export interface WorldOptions {
  /** A cell with checkers. */
  readonly cell: Cell
  readonly devices: number
  /** Milliseconds between two messages of a device. */
  readonly paceMs: number
  readonly say: (line: string) => void
}

/** Whose devices, users and DNS answers are looked at: those that the DC which fails is nearest to. */
const place = 'EU'
const victim = 'dc03'
/** Last parts of the addresses of users and observers; devices have those below. */
const [userIndex, observerIndex] = [250, 251]
const lookMs = 500
/** Until a checker has answered: one that is slower does not, for who looks twice a second. */
const viewMs = 1500
/** Failback to 100 percent takes more than three minutes with default settings. */
const calmMs = 300_000
const settleMs = 120_000

/** What brokers are told: devices without accounts, which may come back often. */
const sets = ['auth.anonymous=true', 'log_level=warn', 'sys_interval=0', 'limits.flapping_ban=1']

/** A cell of five DCs with checkers for a world, in an empty directory. */
export function startWorldCell(options: Omit<CellOptions, 'checkers' | 'sets'>): Promise<Cell> {
  return startCell({ ...options, checkers: true, sets })
}

/**
 * A cell with devices and users that find it by its names, and a session in a DC that nothing happens to, which gets
 * all that devices publish.
 */
export class World {
  readonly cell: Cell
  readonly fleet: Fleet
  readonly user: User
  readonly receiver: Receiver
  readonly #checkers: readonly string[]
  readonly #nameServers: readonly NameServer[]
  readonly #say: (line: string) => void

  /** Everybody is connected, and publishes. */
  static async start(options: WorldOptions): Promise<World> {
    const { cell } = options
    const world = new World(options, await Receiver.start(cell.dcs[0].mqtt))
    world.fleet.go()
    world.user.go()
    return world
  }

  private constructor({ cell, devices, paceMs, say }: WorldOptions, receiver: Receiver) {
    const { inventory, names, token } = cell
    if (names === null) throw new Error('the cell has no checkers, so nobody answers for its names')
    const ca = readFileSync(cell.caFile)
    const { ports } = inventory
    this.cell = cell
    this.receiver = receiver
    this.#say = say
    this.#checkers = names.checkers
    const { mqtt, api, nameServers } = names
    this.fleet = new Fleet({
      inventory,
      count: devices,
      url: `mqtts://${mqtt}:${ports.mqtts}`,
      ca,
      nameServers,
      paceMs,
    })
    this.user = new User({
      url: `https://${api}:${ports.https}`,
      ca,
      from: deviceAddress(inventory, place, userIndex),
      nameServers,
      token,
    })
    const from = deviceAddress(inventory, place, observerIndex)
    this.#nameServers = nameServers.map((server) => new NameServer(server, from, mqtt))
  }

  /** The DC that fails, and its neighbours. */
  get victim(): ReturnType<Cell['dc']> {
    return this.cell.dc(victim)
  }

  /** Addresses of a DC or host that devices connect to. */
  addressesOf(subject: string): string[] {
    return this.cell.inventory.hosts
      .filter(({ name, dc, roles }) => roles.includes('app') && (name === subject || dc === subject))
      .map(({ address }) => address)
  }

  /** What each checker that answers says. */
  async views(): Promise<CheckerStandings[]> {
    const late = AbortSignal.timeout(viewMs)
    const all = await Promise.all(this.#checkers.map((url) => standingsAt(url, late).catch(() => null)))
    return all.filter((one) => one !== null)
  }

  /** What each name server that answers gives for the region. */
  async answers(): Promise<ReadonlySet<string>[]> {
    const all = await Promise.all(this.#nameServers.map((server) => server.look()))
    return all.filter((one) => one !== null)
  }

  /**
   * Resolves when all checkers have everything in, devices are where DNS leads, and everything acknowledged has come.
   * A busy machine may be called degraded, which moves nobody. Rejects with what is not so.
   */
  async calm(): Promise<void> {
    const deadline = performance.now() + calmMs
    for (let wrong = await this.#wrong(); wrong !== null; wrong = await this.#wrong()) {
      if (performance.now() > deadline) throw new Error(`no calm: ${wrong}`)
      await pause(lookMs)
    }
    await this.#goHome()
    await this.settled()
  }

  /** Resolves when nothing waits and everything acknowledged has come, or after two minutes; says how many are missing. */
  async settled(): Promise<number> {
    this.fleet.rest()
    const deadline = performance.now() + settleMs
    const missing = (): number => this.receiver.missing(this.fleet.devices)
    while ((this.fleet.waiting > 0 || missing() > 0) && performance.now() < deadline) await pause(lookMs)
    this.fleet.go()
    return missing()
  }

  async end(): Promise<void> {
    this.user.end()
    await Promise.all([this.fleet.end(), this.receiver.end()])
  }

  /** Null: nothing. */
  async #wrong(): Promise<string | null> {
    const views = await this.views()
    if (views.length < this.#checkers.length) return 'not all checkers answer'
    for (const { checker, abstains, subjects } of views) {
      if (abstains !== null) return `${checker} abstains: ${abstains}`
      for (const { subject, state, serving, percent, vote } of subjects) {
        const votesWell = vote === 'up' || vote === 'degraded'
        if (state === 'down' || !serving || percent < 100 || !votesWell)
          return `${checker} has ${subject} ${state}, ${percent} %, and votes ${vote ?? 'nothing'}`
      }
    }
    return null
  }

  /** Devices of the region are at the DC that is theirs; they resolve again when their answers are too old. */
  async #goHome(): Promise<void> {
    const deadline = performance.now() + settleMs
    const home = this.addressesOf(victim)
    const strayed = (): readonly { reconnect(): void; connected: boolean }[] =>
      this.fleet
        .of(place)
        .filter(({ host, connected }) => !connected || host === null || !home.includes(host))
    for (let left = strayed(); left.length > 0; left = strayed()) {
      if (performance.now() > deadline) throw new Error(`${left.length} devices are not at ${victim}`)
      for (const device of left) if (device.connected) device.reconnect()
      await pause(5000)
    }
    this.#say(`calm: ${this.fleet.of(place).length} devices at ${victim}`)
  }
}
