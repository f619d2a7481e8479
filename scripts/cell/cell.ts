import { rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { allNormal } from '#cassandra/local/cluster.ts'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import type { Dc, Inventory } from '#platform/inventory/inventory.ts'
import { type DevCell, devInventory, devNet } from '#platform/inventory/dev.ts'
import { delayBetween } from '#platform/inventory/wan.ts'
import { createLogger, type Logger } from '#platform/log.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import { DeviceClient, type DeviceWithKey } from '#scripts/client/devices.ts'
import { RestClient } from '#scripts/client/rest.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { bornFile, CellDirectory } from './directory.ts'
import { makeSchema, spreadSchema, updateSchema } from './migrate.ts'
import type { Part, PartKind, PartStatus } from './part.ts'
import { type CassandraPart, makeParts, portsOf } from './parts.ts'
import { checkMemory, checkPorts, takeNet } from './preflight.ts'
import type { Pair } from './wan/rules.ts'
import { Wan } from './wan/wan.ts'

export interface CellOptions {
  /** Where data, logs and keys are, or will be; a cell that was there is started again with what it had. */
  readonly directory: string
  /** How many of the five DCs, three live ones first. For a new cell only, like the next ones up to `net`. Default: 5. */
  readonly dcs?: number | undefined
  /** Three Cassandra nodes in each live DC instead of one. */
  readonly full?: boolean | undefined
  readonly brokersPerDc?: number | undefined
  /** Addresses 127.{net}.x.x; default: the first from 77 on that no other cell has. */
  readonly net?: number | undefined
  /** Delay packets between DCs, where the machine can. Default: true. */
  readonly wan?: boolean | undefined
  /** Ports of the first broker of a DC and of its API, default 1883 and 8080. For a new cell only. */
  readonly mqttPort?: number | undefined
  readonly httpPort?: number | undefined
  /** Java heap of a Cassandra node. */
  readonly heapMb?: number | undefined
  /** `path=value` of the brokers' configuration. */
  readonly sets?: readonly string[] | undefined
  /** Gives up starting, and ends what has been started. */
  readonly signal?: AbortSignal | undefined
  /** Told of each step: `dc01 cassandra 3.1 s`. */
  readonly say?: ((line: string) => void) | undefined
}

/** What is meant in a DC: everything, or one kind of its parts. */
export type Which = PartKind | undefined

const defaultHeapMb = 256
/** Nets that are tried for a new cell. */
const nets = 20
/** Cassandra nodes that start at a time after the first; more is no faster on few cores. */
const nodesAtATime = 4

/**
 * Starts a cell of real processes on this machine: for each DC Cassandra, nats-server, brokers and an API, supervised,
 * and a network between DCs that delays and can be cut. Rejects with CliError; nothing is left running then.
 */
export async function startCell(options: CellOptions): Promise<Cell> {
  const say = options.say ?? (() => undefined)
  const directory = new CellDirectory(options.directory)
  const { inventory, guard } = await claim(directory, options)
  const opened: Opened = { guard, wan: null, parts: [] }
  const { signal } = options
  const giveUp = (): void => {
    for (const part of opened.parts) void part.retire()
  }
  signal?.addEventListener('abort', giveUp)
  try {
    const heapMb = options.heapMb ?? defaultHeapMb
    const log = progressLogger(say)
    const cassandra = await ensureCassandra({ log })
    const natsServer = await ensureNatsServer({ log })
    const certificates = await makeCertificates({
      directory: directory.place('pki'),
      authority: `cinque cell ${inventory.cell}`,
      requests: appHosts(inventory).map(({ name, address }) => ({
        name,
        dns: [name, 'localhost'],
        ips: [address],
      })),
    })
    const wan = await openWan(options, inventory, directory, say)
    opened.wan = wan
    const { parts, cassandra: nodes } = makeParts({
      inventory,
      directory,
      cassandra,
      natsServer,
      certificates,
      heapMb,
      sets: options.sets ?? [],
      groupOf: (dc) => wan?.groupOf(dc),
      say,
    })
    opened.parts.push(...parts)
    signal?.throwIfAborted()
    for (const part of parts) {
      if (await part.endOrphan()) say(`${part.options.name}: left by an earlier run, ended`)
    }
    checkMemory(inventory, heapMb)
    await checkPorts(portsOf(inventory))
    await startCassandra({ inventory, directory, nodes, log, say })
    await startKinds(parts, ['nats'], say)
    await startKinds(parts, ['broker', 'api'], say)
    return new Cell(inventory, directory, opened)
  } catch (error) {
    await closeAll(opened)
    throw error instanceof CliError ? error : new CliError(errorLine(error), { cause: error })
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

interface Opened {
  readonly guard: Server
  wan: Wan | null
  readonly parts: Part[]
}

/** A running cell. */
export class Cell {
  readonly inventory: Inventory
  readonly directory: string
  /** Opens everything in every DC's API. */
  readonly token: string
  readonly dcs: readonly CellDc[]
  readonly #opened: Opened
  #stopping: Promise<void> | null = null

  constructor(inventory: Inventory, directory: CellDirectory, opened: Opened) {
    this.inventory = inventory
    this.directory = directory.path
    this.token = directory.kept(['admin-token'], () => '').trim()
    this.#opened = opened
    this.dcs = inventory.dcs.map((dc) => new CellDc(dc, inventory, opened))
  }

  /** CliError if there is none of that name. */
  dc(name: string): CellDc {
    const found = this.dcs.find((one) => one.name === name)
    if (found !== undefined) return found
    throw new CliError(`there is no DC "${name}"; the DCs are ${this.dcs.map((dc) => dc.name).join(', ')}`, {
      exitCode: 2,
    })
  }

  /** All processes. */
  get parts(): readonly Part[] {
    return this.#opened.parts
  }

  /** `delays`: packets between DCs wait; `cuts`: they don't, but can be cut; `none`: neither can be had here. */
  get wan(): 'delays' | 'cuts' | 'none' {
    const { wan } = this.#opened
    return wan === null ? 'none' : wan.delays ? 'delays' : 'cuts'
  }

  status(): CellStatus {
    return {
      cell: this.inventory.cell,
      directory: this.directory,
      wan: this.wan,
      dcs: this.dcs.map((dc) => dc.status()),
    }
  }

  /** Makes a device through one DC's API, the first one's unless told. */
  createDevice(name: string, dc: CellDc = this.dcs[0]): Promise<DeviceWithKey> {
    return new DeviceClient(new RestClient({ url: dc.http, mqtt: dc.mqtt, token: this.token })).add(name)
  }

  /** Ends all processes in good order, and takes the packet filter rules away. Data stay. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      const { parts } = this.#opened
      for (const kinds of [['broker', 'api'], ['nats'], ['cassandra']]) {
        const some = parts.filter(({ options: { kind } }) => kinds.includes(kind))
        await Promise.all(some.map((part) => part.stop()))
      }
      await closeAll(this.#opened)
    })()
    return this.#stopping
  }

  /** SIGKILL for all processes: for tests that need no data afterwards. */
  async kill(): Promise<void> {
    this.#stopping ??= closeAll(this.#opened)
    await this.#stopping
  }
}

export interface CellStatus {
  readonly cell: string
  readonly directory: string
  readonly wan: Cell['wan']
  readonly dcs: readonly DcStatus[]
}

export interface DcStatus {
  readonly name: string
  readonly place: string
  readonly kind: Dc['kind']
  readonly mqtt: string
  readonly http: string
  /** DCs that no packet reaches from here. */
  readonly cutFrom: readonly string[]
  readonly parts: readonly PartStatus[]
}

/** One DC of a running cell. */
export class CellDc {
  readonly name: string
  readonly number: number
  /** Of its brokers, `mqtt://127.77.1.1:1883`. */
  readonly brokers: readonly string[]
  /** `http://127.77.1.1:8080`, without `/v1`. */
  readonly http: string
  /** Prometheus pages of its brokers. */
  readonly metrics: readonly string[]
  readonly #dc: Dc
  readonly #others: readonly Dc[]
  readonly #opened: Opened

  constructor(dc: Dc, inventory: Inventory, opened: Opened) {
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
    this.http = `http://${hosts[0].address}:${ports.http}`
    this.#dc = dc
    this.#others = dcs.filter((other) => other !== dc)
    this.#opened = opened
  }

  /** Of its first broker. */
  get mqtt(): string {
    return this.brokers[0]
  }

  /** MQTT over WebSocket, at its API. */
  get ws(): string {
    return `${this.http.replace(/^http/, 'ws')}/mqtt`
  }

  parts(which?: Which): readonly Part[] {
    return this.#opened.parts.filter(
      ({ options: { dc, kind } }) => dc === this.name && (which === undefined || kind === which),
    )
  }

  /** kill -9 of everything, or of one kind; it stays down until `start`. */
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

  status(): DcStatus {
    const { name, place, kind } = this.#dc
    const cutFrom = this.#others.filter(
      (other) => this.#opened.wan?.isCut(this.number, other.number) === true,
    )
    return {
      name,
      place,
      kind,
      mqtt: this.mqtt,
      http: this.http,
      cutFrom: cutFrom.map((other) => other.name),
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
    if (this.#opened.wan !== null) return this.#opened.wan
    throw new CliError('this cell runs without a packet filter, so nothing can be cut', {
      remedy: 'Start it as root on Linux, where iptables works; `cinque dc kill` works everywhere.',
    })
  }
}

const startOrder: readonly (readonly PartKind[])[] = [['cassandra'], ['nats'], ['broker', 'api']]

function appHosts({ hosts }: Inventory): Inventory['hosts'] {
  return hosts.filter(({ roles }) => roles.includes('app'))
}

/** What the cell is made of, its addresses taken for this process. */
async function claim(
  directory: CellDirectory,
  options: CellOptions,
): Promise<{ inventory: Inventory; guard: Server }> {
  const kept = directory.read()
  if (kept !== undefined) {
    checkSame(kept, options)
    const guard = await takeNet(netOf(kept))
    if (guard !== undefined) return { inventory: kept, guard }
    throw new CliError(`a cell with the addresses 127.${netOf(kept)}.x.x runs already`, {
      remedy:
        'Is it this one? `cinque dc status` shows it. Another cell beside it: --data with a new directory.',
    })
  }
  const { net: wanted } = options
  for (const net of wanted === undefined ? Array.from({ length: nets }, (_, at) => devNet + at) : [wanted]) {
    const guard = await takeNet(net)
    if (guard === undefined) continue
    const inventory = devInventory(shapeOf(options, { net }))
    directory.create(inventory)
    return { inventory, guard }
  }
  throw new CliError('other cells have all addresses', {
    remedy: 'Stop one of them; other addresses: --net.',
  })
}

/** A cell keeps the nodes that its data are on. */
function checkSame(kept: Inventory, options: CellOptions): void {
  const { dcs, hosts, ports } = kept
  const shape = {
    dcs: dcs.length,
    full: hosts.length > dcs.length,
    brokers: hosts[0].brokers,
    net: netOf(kept),
    mqttPort: ports.mqtt,
    httpPort: ports.http,
  }
  const wanted = devInventory(shapeOf(options, shape))
  if (isDeepStrictEqual([wanted.hosts, wanted.ports], [hosts, ports])) return
  throw new CliError(
    'the cell in this directory was made with other --dcs, --full, --brokers, --net or ports',
    {
      remedy: 'Leave these out to start it as it was made; a new one: --data with a new directory.',
      exitCode: 2,
    },
  )
}

function shapeOf(options: CellOptions, otherwise: DevCell): DevCell {
  return {
    dcs: options.dcs ?? otherwise.dcs,
    full: options.full ?? otherwise.full,
    brokers: options.brokersPerDc ?? otherwise.brokers,
    net: options.net ?? otherwise.net,
    mqttPort: options.mqttPort ?? otherwise.mqttPort,
    httpPort: options.httpPort ?? otherwise.httpPort,
  }
}

function netOf({ hosts }: Inventory): number {
  return Number(hosts[0].address.split('.')[1])
}

async function openWan(
  { wan }: CellOptions,
  inventory: Inventory,
  directory: CellDirectory,
  say: (line: string) => void,
): Promise<Wan | null> {
  const nameOf = new Map(inventory.dcs.map(({ name, number }) => [number, name]))
  const delay = (a: number, b: number): number =>
    delayBetween(inventory, nameOf.get(a) ?? '', nameOf.get(b) ?? '')
  try {
    return await Wan.open({
      net: netOf(inventory),
      dcs: inventory.dcs.map(({ number }) => number),
      ...(wan === false ? {} : { delay }),
      directory: directory.place('bin'),
      say,
    })
  } catch (error) {
    say(`no delay between DCs, and none can be cut: ${errorLine(error)}`)
    return null
  }
}

/** Starts all nodes and brings their schema up to date. */
async function startCassandra(options: {
  inventory: Inventory
  directory: CellDirectory
  nodes: readonly CassandraPart[]
  log: Logger
  say: (line: string) => void
}): Promise<void> {
  const { inventory, directory, nodes, log, say } = options
  const [first] = nodes
  // A first start that did not get to its end is begun anew: nobody has stored anything yet.
  const fresh = !directory.has(bornFile)
  if (fresh) rmSync(directory.place('cassandra'), { recursive: true, force: true })
  if (fresh) {
    await startPart(first.part, say)
    await timed(say, 'schema, made', () => makeSchema(inventory, log))
  }
  // On their data, seeds ask each other who is there, and wait ten seconds for one that does not answer.
  const seeds = fresh ? [] : nodes.filter(({ seed }) => seed)
  await Promise.all(seeds.map(({ part }) => startPart(part, say)))
  const rest = nodes.filter(({ part }) => part.state !== 'running')
  const workers = Array.from({ length: nodesAtATime }, async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await startPart(next.part, say)
  })
  await Promise.all(workers)
  const started = nodes.flatMap(({ node }) => node() ?? [])
  await timed(say, 'cassandra: all nodes see all', () => allNormal(log, started))
  if (fresh) await timed(say, 'schema, everywhere', () => spreadSchema(inventory, log))
  await timed(say, 'schema, checked', () => updateSchema(inventory, log))
  directory.write([bornFile], `${new Date().toISOString()}\n`)
}

async function startKinds(
  parts: readonly Part[],
  kinds: readonly PartKind[],
  say: (line: string) => void,
): Promise<void> {
  const some = parts.filter(({ options: { kind } }) => kinds.includes(kind))
  await Promise.all(some.map((part) => startPart(part, say)))
}

async function startPart(part: Part, say: (line: string) => void): Promise<void> {
  await timed(say, part.options.name, () => part.start())
}

async function timed(say: (line: string) => void, what: string, step: () => Promise<unknown>): Promise<void> {
  const from = performance.now()
  await step()
  say(`${what} ${((performance.now() - from) / 1000).toFixed(1)} s`)
}

async function closeAll({ guard, wan, parts }: Opened): Promise<void> {
  await Promise.all(parts.map((part) => part.retire()))
  await wan?.close()
  await new Promise((closed) => guard.close(closed))
}

/** What the engines' installers say becomes progress. */
function progressLogger(say: (line: string) => void): Logger {
  const destination = {
    write(line: string): void {
      const { event, msg } = JSON.parse(line) as { event?: string; msg?: string }
      // What the driver thinks of nodes that come and go is no news here.
      if (msg !== undefined && event !== 'store.driver') say(msg)
    },
  }
  return createLogger({ level: 'info', destination })
}
