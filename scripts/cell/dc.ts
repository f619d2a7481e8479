import type { Dc, Inventory } from '#platform/inventory/inventory.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import type { Part, PartKind, PartStatus } from './part.ts'
import type { Pair } from './wan/rules.ts'
import type { Wan } from './wan/wan.ts'

/** What is meant in a DC: everything, one kind of its parts, one host's. */
export type Which =
  | PartKind
  | { readonly kind?: PartKind | undefined; readonly host?: string | undefined }
  | undefined

const startOrder: readonly (readonly PartKind[])[] = [['cassandra'], ['nats'], ['broker', 'api'], ['checker']]

/** What the DCs of a running cell have in common. */
export interface Running {
  /** Null: there is no packet filter for us. */
  readonly wan: Wan | null
  readonly parts: readonly Part[]
}

export interface DcStatus {
  readonly name: string
  readonly place: string
  readonly kind: Dc['kind']
  readonly mqtt: string
  readonly http: string
  readonly mqtts: string
  readonly https: string
  /** DCs that no packet reaches from here. */
  readonly cutFrom: readonly string[]
  /** Whether no packet reaches its checker. */
  readonly checkerCut: boolean
  /** Milliseconds by which packets from and to here are late, each way. */
  readonly lateMs: number
  readonly parts: readonly PartStatus[]
}

/** One DC of a running cell. */
export class CellDc {
  readonly name: string
  readonly number: number
  /** Of its brokers, `mqtt://127.77.1.1:1883`. */
  readonly brokers: readonly string[]
  /** `http://127.77.1.1:8080`, without `/v1`; of its first host. */
  readonly http: string
  /** `mqtts://127.77.1.1:8883` and `https://127.77.1.1:8443`, with certificates of the cell's authority. */
  readonly mqtts: string
  readonly https: string
  /** Prometheus pages of its brokers. */
  readonly metrics: readonly string[]
  readonly #dc: Dc
  readonly #others: readonly Dc[]
  readonly #running: Running

  constructor(dc: Dc, inventory: Inventory, running: Running) {
    const { ports, dcs } = inventory
    const hosts = appHosts(inventory).filter((host) => host.dc === dc.name)
    const perBroker = (port: number, url: (at: string) => string): string[] =>
      hosts.flatMap(({ address, brokers }) =>
        Array.from({ length: brokers }, (_, index) => url(`${address}:${port + index}`)),
      )
    this.name = dc.name
    this.number = dc.number
    this.brokers = perBroker(ports.mqtt, (at) => `mqtt://${at}`)
    this.metrics = perBroker(ports.metrics, (at) => `http://${at}/metrics`)
    const { address } = hosts[0]
    this.http = `http://${address}:${ports.http}`
    this.mqtts = `mqtts://${address}:${ports.mqtts}`
    this.https = `https://${address}:${ports.https}`
    this.#dc = dc
    this.#others = dcs.filter((other) => other !== dc)
    this.#running = running
  }

  /** Of its first broker. */
  get mqtt(): string {
    return this.brokers[0]
  }

  /** MQTT over WebSocket, at its API. */
  get ws(): string {
    return `${this.http.replace(/^http/, 'ws')}/mqtt`
  }

  /** CliError if that host is not here. */
  parts(which?: Which): readonly Part[] {
    const { kind, host } = typeof which === 'string' ? { kind: which } : (which ?? {})
    const all = this.#running.parts.filter(({ options }) => options.dc === this.name)
    const ofHost = all.filter(({ options }) => host === undefined || options.host === host)
    if (host !== undefined && ofHost.length === 0) {
      const names = [...new Set(all.map(({ options }) => options.host))]
      throw new CliError(`${this.name} has no host "${host}"; its hosts are ${names.join(', ')}`, {
        exitCode: 2,
      })
    }
    return ofHost.filter(({ options }) => kind === undefined || options.kind === kind)
  }

  /** kill -9 of everything, or of a part; it stays down until `start`. */
  async kill(which?: Which): Promise<void> {
    await Promise.all(this.parts(which).map((part) => part.kill()))
  }

  /** In good order: brokers drain while what they need is there. */
  async stop(which?: Which): Promise<void> {
    for (const kinds of startOrder.toReversed()) {
      const some = this.parts(which).filter(({ options: { kind } }) => kinds.includes(kind))
      await Promise.all(some.map((part) => part.stop()))
    }
  }

  /** What is down is started; resolves when it is ready. */
  async start(which?: Which): Promise<void> {
    for (const kinds of startOrder) {
      const some = this.parts(which).filter(({ options: { kind } }) => kinds.includes(kind))
      await Promise.all(some.map((part) => part.start()))
    }
  }

  /** Stands still (SIGSTOP): connections stay open, nothing answers. */
  freeze(which?: Which): void {
    for (const part of this.parts(which)) part.freeze()
  }

  thaw(which?: Which): void {
    for (const part of this.parts(which)) part.thaw()
  }

  /** No packets between it and all other DCs, or one of them. CliError if this machine has no packet filter for us. */
  async cut(from?: CellDc): Promise<void> {
    await this.#wan().cut(this.#pairs(from))
  }

  async heal(from?: CellDc): Promise<void> {
    await this.#wan().heal(this.#pairs(from))
  }

  /** No packets between its checker and everything else of the cell. CliError as for `cut`. */
  async cutChecker(cut: boolean): Promise<void> {
    await this.#wan().cutChecker(this.number, cut)
  }

  /** Packets between it and the others take so many milliseconds longer each way. CliError if none are delayed here. */
  async slow(ms: number): Promise<void> {
    try {
      await this.#wan().slow(this.number, ms)
    } catch (error) {
      throw error instanceof CliError ? error : new CliError(errorLine(error), { cause: error })
    }
  }

  status(): DcStatus {
    const { name, place, kind } = this.#dc
    const { wan } = this.#running
    const cutFrom = this.#others.filter((other) => wan?.isCut(this.number, other.number) === true)
    return {
      name,
      place,
      kind,
      mqtt: this.mqtt,
      http: this.http,
      mqtts: this.mqtts,
      https: this.https,
      cutFrom: cutFrom.map((other) => other.name),
      checkerCut: wan?.isCheckerCut(this.number) === true,
      lateMs: wan?.lateness(this.number) ?? 0,
      parts: this.parts().map((part) => part.status()),
    }
  }

  #pairs(from: CellDc | undefined): Pair[] {
    if (from?.name === this.name) {
      throw new CliError(`${this.name} can't be cut from itself; name two DCs, or one for all others`, {
        exitCode: 2,
      })
    }
    const others = from === undefined ? this.#others : [from]
    return others.map((other) => [this.number, other.number])
  }

  #wan(): Wan {
    if (this.#running.wan !== null) return this.#running.wan
    throw new CliError('this cell runs without a packet filter, so nothing can be cut', {
      remedy: 'Start it as root on Linux, where iptables works; `cinque dc kill` works everywhere.',
    })
  }
}

/** Hosts that run brokers. */
function appHosts({ hosts }: Inventory): Inventory['hosts'] {
  return hosts.filter(({ roles }) => roles.includes('app'))
}
