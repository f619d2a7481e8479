import { Broker } from '#broker/broker.ts'
import type { CellOptions } from '#broker/cluster/cell.ts'
import { type BrokerConfig, brokerConfig } from '#broker/config.ts'
import { Phase } from '#broker/connection.ts'
import type { Space } from '#broker/space.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { createLogger, type Logger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'
import type { Cell } from './cell.ts'
import { Life } from './life.ts'
import type { Line } from './line.ts'
import type { SimBus } from './sim-bus.ts'
import { SimStore } from './sim-store.ts'

/** A broker process: runs, freezes, dies and runs again, as another incarnation. */
export class SimProcess {
  readonly cell: Cell
  readonly name: string
  readonly dc: string
  readonly dcNumber: number
  life: Life | null = null
  broker: Broker | null = null
  bus: SimBus | null = null
  /** It takes connections. */
  ready = false
  readonly lines = new Set<Line>()
  /** When it last went on after it had stood still. */
  thawedAt = Number.NEGATIVE_INFINITY
  /** Milliseconds by which the clock of its host is off. */
  skew: number
  /** How often it was started. */
  runs = 0
  readonly #config: BrokerConfig
  readonly #authenticator: ConfigAuthenticator

  constructor(cell: Cell, name: string, dcNumber: number, skew: number) {
    this.cell = cell
    this.name = name
    this.dc = `dc0${dcNumber}`
    this.dcNumber = dcNumber
    this.skew = skew
    this.#config = brokerConfig.parse({
      listen: [],
      auth: { anonymous: true },
      sys_interval: 0,
    })
    this.#authenticator = new ConfigAuthenticator({
      ...this.#config.auth,
      organisation: this.#config.organisation,
    })
  }

  get up(): boolean {
    return this.life !== null && !this.life.frozen
  }

  start(): void {
    const { world } = this.cell
    if (this.life !== null) return
    this.runs++
    const life = new Life(world, this.name, this.skew)
    this.life = life
    const store = new SimStore(this.cell.database, life, this.dc)
    const log = this.#logger(life)
    // In half of the runs all goes through the other lane: nothing may be staged in one and waited for in the other.
    const durability = (): 'local' | 'geo' => (this.cell.options.seed % 2 === 0 ? 'geo' : 'local')
    const lanes = new Lanes(store, log, { timers: life, durability })
    const deps = {
      config: this.#config,
      store,
      lanes,
      authenticator: this.#authenticator,
      conventions: noConventions,
      log,
      metrics: new Metrics(),
      clock: life,
      timers: life,
      ...this.#membership(life),
    }
    const broker = new Broker(deps)
    this.broker = broker
    world.trace('start', this.dcNumber, () => `${this.name} run ${this.runs}`)
    broker.start().then(
      () => {
        if (!life.alive) return
        this.ready = true
        world.trace('ready', this.dcNumber, () => this.name)
      },
      (error: unknown) => {
        if (!life.alive) return
        // Its supervisor starts it again.
        world.trace('failed', this.dcNumber, () => `${this.name} does not start: ${String(error)}`)
        this.crash(false)
        world.after(1000, () => this.start())
      },
    )
  }

  /** Its place in the cell, if there are others. */
  #membership(life: Life): { cell?: CellOptions } {
    const { name, dc, dcNumber, cell } = this
    const { dcs, processes } = cell.options
    if (dcs * processes === 1) return {}
    const incarnation = newIncarnation(life.now() * 1024, dcNumber, cell.world.random.bytes(7))
    const bus = cell.network.join(life, dc, incarnation.toString('hex'))
    this.bus = bus
    return { cell: { bus, incarnation, name, dc, dcs: Array.from({ length: dcs }, (_, i) => i + 1) } }
  }

  /** kill -9. `silent`: its host is lost with it, so that clients are not told. */
  crash(silent: boolean): void {
    const { life } = this
    if (life === null) return
    this.cell.world.trace('crash', this.dcNumber, () => this.name)
    life.end()
    if (this.bus !== null) void this.bus.close()
    this.life = null
    this.broker = null
    this.bus = null
    this.ready = false
    if (!silent) for (const line of this.lines) line.died()
    this.lines.clear()
  }

  freeze(): void {
    if (this.life === null || this.life.frozen) return
    this.cell.world.trace('freeze', this.dcNumber, () => this.name)
    this.life.freeze()
  }

  /** The clock of its host is set. */
  setClock(by: number): void {
    this.skew += by
    if (this.life !== null) this.life.skew = this.skew
  }

  thaw(): void {
    if (this.life?.frozen !== true) return
    this.cell.world.trace('thaw', this.dcNumber, () => this.name)
    this.thawedAt = this.cell.world.now
    this.life.thaw()
  }

  /** It has an open connection of this client. */
  holds(clientId: string): boolean {
    const connection = this.#space?.sessions.get(clientId)?.connection
    return connection !== undefined && connection !== null && connection.phase === Phase.OPEN
  }

  /** Its retained messages: topic and payload. */
  retained(): Map<string, string> {
    const messages = this.#space?.retained.match('#') ?? []
    return new Map(messages.map(({ topic, payload }) => [topic, payload.toString()]))
  }

  /** What it holds of what all hold, as lines of text. */
  tables(): string {
    const space = this.#space
    const sessions = [...(space?.sessions.values() ?? []), ...(space?.away.values() ?? [])]
    const lines = [...this.retained()].map(([topic, payload]) => `retained ${topic} ${payload}`)
    for (const session of sessions) {
      if (!session.durable) continue
      lines.push(`session ${session.clientId} ${Buffer.from(session.sid).toString('hex')} ${session.epoch}`)
      for (const s of session.subscriptions())
        lines.push(`subscription ${session.clientId} ${s.filter} ${s.qos}`)
    }
    return lines.toSorted().join('\n')
  }

  get #space(): Space | undefined {
    return this.broker?.space(this.#config.organisation)
  }

  /** Lines of its log are part of the trace. */
  #logger(life: Life): Logger {
    const { world } = this.cell
    if (world.lines === null) return createLogger({ level: 'silent' })
    const write = (line: string): void => {
      const {
        level,
        time: _time,
        msg,
        err,
        ...rest
      }: Record<string, unknown> & { err?: { message: string } } = JSON.parse(line)
      if (err !== undefined) rest.error = err.message
      if (life.alive)
        world.lines?.push(
          `${world.now.toFixed(2).padStart(10)} log ${this.name} ${String(level)} ${String(msg)} ${JSON.stringify(rest)}`,
        )
    }
    return createLogger({ level: 'debug', destination: { write } })
  }
}
