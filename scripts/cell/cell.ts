import { rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { allNormal } from '#cassandra/local/cluster.ts'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { delayBetween } from '#platform/inventory/wan.ts'
import { createLogger, type Logger } from '#platform/log.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import { type AnswerOf, createClient } from '#client/index.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { provisionCheckers } from './checkers.ts'
import { claim, netOf } from './claim.ts'
import { CellDc, type DcStatus } from './dc.ts'
import { bornFile, CellDirectory } from './directory.ts'
import { type CellNames, cellNames, namesOf } from './names.ts'
import { makeSchema, spreadSchema, updateSchema } from './migrate.ts'
import type { Part, PartKind } from './part.ts'
import { type CassandraPart, makeParts, portsOf } from './parts.ts'
import { checkMemory, checkPorts } from './preflight.ts'
import { type CheckerStandings, standingsOf } from '#scripts/client/standings.ts'
import { Wan } from './wan/wan.ts'

export type { CellDc, DcStatus }

export interface CellOptions {
  /** Where data, logs and keys are, or will be; a cell that was there is started again with what it had. */
  readonly directory: string
  /** How many of the five DCs, three live ones first. For a new cell only, like the next ones up to `net`. Default: 5. */
  readonly dcs?: number | undefined
  /** Three Cassandra nodes in each live DC instead of one. */
  readonly full?: boolean | undefined
  /** Hosts with brokers and API: 1 or 2. */
  readonly appsPerDc?: number | undefined
  readonly brokersPerHost?: number | undefined
  /** A process in each DC that looks at all the others, and answers for the names of the cell. Default: none. */
  readonly checkers?: boolean | undefined
  /** What checkers go by, where the defaults do not suit; for a new cell only. */
  readonly health?: Partial<Inventory['health']> | undefined
  /** Seconds for which an address that they give may be kept; for a new cell only. */
  readonly dnsTtl?: number | undefined
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

const defaultHeapMb = 256
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
      requests: inventory.hosts.map((host) => ({
        name: host.name,
        dns: namesOf(inventory, host),
        ips: [host.address],
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
      checkerGroupOf: (dc) => wan?.checkerGroupOf(dc),
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
    const cell = new Cell(inventory, directory, opened)
    if (parts.some(({ options: { kind } }) => kind === 'checker')) {
      const { token, dcs, caFile } = cell
      await timed(say, 'devices and keys of checkers', () =>
        provisionCheckers({ inventory, directory }, { url: dcs[0].http, token, caFile }),
      )
      await startKinds(parts, ['checker'], say)
    }
    return cell
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
  /** PEM of the authority that all its certificates are of. */
  readonly caFile: string
  readonly dcs: readonly CellDc[]
  /** Null: nobody answers for names, as there are no checkers. */
  readonly names: CellNames | null
  readonly #opened: Opened
  #stopping: Promise<void> | null = null

  constructor(inventory: Inventory, directory: CellDirectory, opened: Opened) {
    this.inventory = inventory
    this.directory = directory.path
    this.token = directory.kept(['admin-token'], () => '').trim()
    this.caFile = directory.place('pki', 'ca.pem')
    this.names = cellNames(inventory)
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
      names: this.names,
      dcs: this.dcs.map((dc) => dc.status()),
    }
  }

  /** With what a checker has made of the votes, if one answers. */
  async statusWithStandings(): Promise<CellStatus> {
    const standings = await standingsOf(this.names?.checkers ?? [])
    return standings === null ? this.status() : { ...this.status(), standings }
  }

  /** Makes a device through one DC's API, the first one's unless told. */
  createDevice(name: string, dc: CellDc = this.dcs[0]): Promise<AnswerOf<'/v1/devices', 'post'>> {
    return createClient({ url: dc.http, token: this.token }).post('/v1/devices', { body: { name } })
  }

  /** Ends all processes in good order, and takes the packet filter rules away. Data stay. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      const { parts } = this.#opened
      for (const kinds of [['checker'], ['broker', 'api'], ['nats'], ['cassandra']]) {
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
  readonly names: CellNames | null
  readonly dcs: readonly DcStatus[]
  readonly standings?: CheckerStandings
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
