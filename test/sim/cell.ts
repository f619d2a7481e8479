import { DurableOutbox } from '#broker/outbox/durable-outbox.ts'
import { Checks } from './checks.ts'
import { SimClient } from './client.ts'
import type { Connected } from './history.ts'
import { History } from './history.ts'
import { type Fault, type FaultMix, type Mode, plannedFaults, strike, usualFaults } from './faults.ts'
import { Net } from './net.ts'
import { plannedClients } from './plans.ts'
import { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Variant } from './variants.ts'
import { SimNetwork } from './sim-bus.ts'
import { SimDatabase } from './sim-store.ts'
import { tellUnknown, watch, wrap } from './watch.ts'
import { World } from './world.ts'

/** Milliseconds in which things go wrong, and after which everything must have come right. */
const TROUBLE_MS = 28_000
const SETTLE_MS = 22_000

/** Trouble of a special kind. */
export interface Plan {
  readonly faults?: FaultMix
  readonly clients?: readonly string[]
  /** Writes reach other DCs late or never. */
  readonly harsh?: true
  /** How long most faults last, in milliseconds. */
  readonly lasts?: readonly [number, number]
}

export interface CellOptions {
  readonly seed: number
  readonly mode: Mode
  readonly dcs: number
  readonly processes: number
  readonly trace: boolean
  /** Brokers with a mistake. */
  readonly variant: Variant | null
  /** What goes wrong, and with whom, where it is not the usual. */
  readonly plan?: Plan | undefined
  /** Instead of those that the seed plans. */
  readonly faults: readonly Fault[] | null
  /** Only these clients take part; null: all. */
  readonly clients: readonly string[] | null
}

export interface Outcome {
  readonly failures: readonly string[]
  readonly hash: number
  readonly events: number
  readonly acknowledged: number
  readonly deliveries: number
  readonly faults: readonly Fault[]
  readonly lines: readonly string[]
}

/** A whole cell with its clients, in one world. */
export class Cell {
  readonly options: CellOptions
  readonly world: World
  readonly net: Net
  readonly network: SimNetwork
  readonly database: SimDatabase
  readonly processes: SimProcess[] = []
  readonly clients: SimClient[] = []
  readonly history = new History()
  readonly checks: Checks
  readonly failures: string[] = []
  /** Who died or stood still, and when. */
  readonly breaks: { process: SimProcess; at: number }[] = []
  /** When frames got lost. */
  readonly rains: { from: number; to: number }[] = []
  /** Clients whose state could not be had when they connected: what was in flight to or from them may come twice. */
  readonly inDoubt = new Set<string>()
  readonly faults: readonly Fault[]
  readonly #random: Random

  constructor(options: CellOptions) {
    this.options = options
    this.world = new World(options.seed, { trace: options.trace })
    const { world } = this
    this.#random = world.random.fork()
    const planning = world.random.fork()
    const casting = world.random.fork()
    const numbers = Array.from({ length: options.dcs }, (_, i) => i + 1)
    this.net = new Net(
      world,
      numbers.map((n) => `dc0${n}`),
    )
    this.network = new SimNetwork(world, this.net)
    this.database = new SimDatabase(world, this.net)
    const harshness = this.#random.below(3)
    this.database.faults = [
      { late: 0, never: 0, failure: 0 },
      { late: 0.05, never: 0.02, failure: 0.003 },
      { late: 0.3, never: 0.2, failure: 0.02 },
    ][options.plan?.harsh === true ? 2 : harshness]
    this.checks = new Checks(this)
    this.database.landed = (dc, change) => this.checks.landed(dc, change)
    for (const n of numbers)
      for (let i = 1; i <= options.processes; i++)
        this.processes.push(new SimProcess(this, `dc0${n}-n1-broker${i}`, n, this.#random.between(-200, 200)))
    const mix = options.plan?.faults ?? usualFaults[options.mode]
    this.faults = options.faults ?? plannedFaults(planning, mix, TROUBLE_MS - 3000, options.plan?.lasts)
    for (const process of this.processes) world.after(this.#random.between(0, 200), () => process.start())
    const clients = options.clients ?? options.plan?.clients
    for (const plan of plannedClients(casting)) {
      if (clients?.includes(plan.id) === false) continue
      this.clients.push(new SimClient(this, plan))
    }
    for (const fault of this.faults) world.at(fault.at, () => strike(this, fault))
    world.at(TROUBLE_MS, () => this.#calm())
    this.#watch()
  }

  async run(): Promise<Outcome> {
    const unwatch = this.options.trace ? watch(this) : () => undefined
    const repair = this.options.variant?.install() ?? (() => undefined)
    const unwatchDoubt = wrap(DurableOutbox, 'adopt', (self, args, original) => {
      if (args[1] === false) this.inDoubt.add((self as DurableOutbox).session.clientId)
      return original(...args)
    })
    try {
      await this.world.run(TROUBLE_MS + SETTLE_MS)
    } finally {
      unwatchDoubt()
      repair()
      unwatch()
    }
    tellUnknown(this)
    this.checks.finish()
    return {
      failures: this.failures,
      hash: this.world.hash >>> 0,
      events: this.world.events,
      acknowledged: this.checks.acknowledgements,
      deliveries: this.clients.reduce((sum, client) => sum + client.receipts.length, 0),
      faults: this.faults,
      lines: this.world.lines ?? [],
    }
  }

  /** Somebody did not get what was promised. */
  fail(what: string): void {
    this.world.trace('FAIL', 0, () => what)
    this.failures.push(`${(this.world.now / 1000).toFixed(3)} s: ${what}`)
  }

  /** Who writes rows under this name, for people. */
  nameOf(writer: string): string {
    const process = this.processes.find(({ bus }) => bus?.address === writer)
    return (
      process?.name ??
      (writer.slice(16, 18) === '00'
        ? `stream-${writer.slice(8, 16)}-${writer.slice(18, 22)}`
        : `dead-${writer.slice(16, 22)}`)
    )
  }

  /** A persistent session is gone. */
  sessionLost(client: SimClient, connection: Connected): void {
    // In a cut a DC may not know of it yet.
    if (this.options.mode === 'crash') this.fail(`session lost: ${client.id} #${connection.n}`)
    this.checks.sessionLost(client)
  }

  /** Whether a process goes on from now until a time, without a break. */
  smooth(process: SimProcess): (until: number) => boolean {
    const from = this.world.now
    return (until) => !this.breaks.some((b) => b.process === process && b.at >= from && b.at <= until)
  }

  /** Whether the others of its DC can do without this process. */
  spares(process: SimProcess): boolean {
    if (process.life === null || process.life.frozen) return false
    if (this.options.processes === 1) return true
    return this.processes.some((p) => p !== process && p.dc === process.dc && p.ready && p.up)
  }

  /** The trouble is over. */
  #calm(): void {
    const { world, database, network } = this
    world.trace('calm', 0, () => '')
    network.faults = { loss: 0, late: 0 }
    database.faults = { late: 0, never: 0, failure: 0 }
    for (const weather of database.weather.values()) {
      weather.slow = 1
      weather.failure = 0
    }
    this.net.healAll()
    for (const process of this.processes) {
      process.thaw()
      process.start()
    }
    for (const client of this.clients) client.active = false
  }

  #watch(): void {
    this.world.after(250, () => {
      this.checks.watch()
      this.#watch()
    })
  }
}
