import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type Server as HttpServer } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTls } from 'node:tls'
import { createApi } from '#api/app.ts'
import { Broker } from '#broker/broker.ts'
import { Control } from '#broker/cluster/control.ts'
import { brokerConfig } from '#broker/config.ts'
import { publisherOf } from '#broker/followed.ts'
import { attachWebSocket } from '#broker/listeners/index.ts'
import { createClient } from '#client/index.ts'
import { provision } from '#healthcheck/checker/provision.ts'
import { systemClock } from '#platform/clock.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import { MemoryStore } from '#platform/store/memory.ts'

/**
 * A cell of one process: the real platform, broker and API on one store in memory, which listen on the addresses of many
 * hosts. What comes to an address passes a gate, where hosts, DCs, APIs and brokers can fail; behind it all are the same.
 * For checkers, votes and DNS, which see addresses only; not for what crosses between processes.
 */
export interface LightFleet {
  readonly inventory: Inventory
  readonly inventoryFile: string
  /** Where its files are; removed at the end. */
  readonly directory: string
  /** REST in the clear for tests themselves, past all gates. */
  readonly adminUrl: string
  readonly adminToken: string
  /** What certificates of the service come from. */
  readonly caFile: string
  /** Configuration file of a checker, provisioned over REST. */
  configOf(checker: string): string
  /** From now on, for what is and what comes; null: all is well again. Resolves when it is so. */
  set(where: Where, fault: Fault | null): Promise<void>
  close(): Promise<void>
}

/** Absent: all of them. */
export interface Where {
  readonly dc?: string
  readonly host?: string
  /** `api`: REST and MQTT over WebSocket; `broker`: MQTT over TCP and TLS. */
  readonly part?: 'api' | 'broker'
}

/**
 * - `closed`: connections end and are refused
 * - `frozen`: connections stay and are accepted, and nothing is answered
 * - `expired`, `wrong name`: another certificate, for new connections; those that are end
 * - `unavailable`: HTTP answers 503, MQTT refuses CONNECT by closing
 * - `slowMs`: everything comes that much later, each way
 */
export type Fault =
  | 'closed'
  | 'frozen'
  | 'expired'
  | 'wrong name'
  | 'unavailable'
  | { readonly slowMs: number }

export interface LightFleetOptions {
  /** 1 to 5; three live ones first. */
  readonly dcs?: number
  /** In each DC. */
  readonly hosts?: number
  /** One in each DC. */
  readonly checkers?: boolean
  /** As in the inventory. */
  readonly health?: Partial<Inventory['health']>
  /** As in the inventory, beside the zone. */
  readonly dns?: Readonly<Record<string, unknown>>
}

const five = [
  ['dc01', 'Montreal', [45.5, -73.6], 'live'],
  ['dc02', 'Miami', [25.8, -80.2], 'live'],
  ['dc03', 'Nürnberg', [49.5, 11.1], 'live'],
  ['dcb1', 'London', [51.5, -0.1], 'backup'],
  ['dcb2', 'Munich', [48.1, 11.6], 'backup'],
] as const
const zone = 'light.test'
const serviceName = `mqtt.${zone}`
const adminToken = 't_admin-of-the-light-fleet'
/** Last number of the address of a DC's checker. */
const checkerHost = 200

/** As the API has it. */
const limits = { keepAliveTimeout: 65_000 }

type Part = 'api' | 'broker'
type Kind = 'good' | 'expired' | 'wrong name' | 'unavailable'

/** Starts one. Its addresses are 127.{a random number}.{dc}.{host}. */
export async function startLightFleet(options: LightFleetOptions = {}): Promise<LightFleet> {
  const directory = mkdtempSync(join(tmpdir(), 'cinque-light-'))
  const undo: (() => Promise<unknown> | void)[] = [() => rmSync(directory, { recursive: true, force: true })]
  const close = async (): Promise<void> => {
    // oxlint-disable-next-line no-await-in-loop -- in turn: what stands on others first
    for (const step of undo.splice(0).toReversed()) await step()
  }
  try {
    const backends = await startBackends(directory, undo)
    const inventory = await inventoryOf(options)
    const inventoryFile = join(directory, 'inventory.json')
    writeFileSync(inventoryFile, JSON.stringify(inventory))
    const gates = await openGates(inventory, backends, undo)
    const { adminUrl, caFile } = backends
    const checkers = join(directory, 'checkers')
    if (options.checkers !== false) {
      const at = { url: adminUrl }
      await provision({
        admin: createClient({ ...at, token: adminToken }),
        clientOf: (credential) => createClient({ ...at, ...credential }),
        inventory,
        inventoryFile,
        directory: checkers,
        organisation: 'healthcheck',
        probe: { ca_file: caFile, mqtt: ['tcp', 'tls', 'ws'] },
      })
    }
    return {
      inventory,
      inventoryFile,
      directory,
      adminUrl,
      adminToken,
      caFile,
      configOf: (checker) => join(checkers, checker, 'checker.yaml'),
      set: async ({ dc, host, part }, fault) => {
        const meant = gates.filter(
          (gate) =>
            (dc === undefined || gate.dc === dc) &&
            (host === undefined || gate.host === host) &&
            (part === undefined || gate.part === part),
        )
        if (meant.length === 0) throw new Error(`nothing is at ${JSON.stringify({ dc, host, part })}`)
        await Promise.all(meant.map((gate) => gate.set(fault)))
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function inventoryOf(options: LightFleetOptions): Promise<Inventory> {
  const { dcs: count = 5, hosts: perDc = 2, checkers = true, health, dns } = options
  const net = 100 + Math.floor(Math.random() * 150)
  const dcs = five.slice(0, count)
  const names = ['mqtt', 'mqtts', 'http', 'https', 'nats', 'gateway', 'nats_http', 'metrics', 'checker']
  const free = await freePorts(names.length)
  return checkInventory(
    {
      cell: 'light',
      dcs: dcs.map(([name, place, location, kind], at) => ({
        name,
        number: at + 1,
        place,
        location,
        kind,
        replicas: 1,
      })),
      hosts: dcs.flatMap(([dc], at) => [
        ...Array.from({ length: perDc }, (_, host) => ({
          name: `${dc}-n${host + 1}`,
          dc,
          roles: host === 0 ? ['db', 'app'] : ['app'],
          address: `127.${net}.${at + 1}.${host + 1}`,
        })),
        ...(checkers
          ? [{ name: `${dc}-check`, dc, roles: ['checker'], address: `127.${net}.${at + 1}.${checkerHost}` }]
          : []),
      ]),
      ports: Object.fromEntries(names.map((name, at) => [name, free[at]])),
      dns: { zone, ...dns },
      health: { quorum: Math.min(3, count), ...health },
    },
    'the light fleet',
  )
}

/** Ports that nobody has now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Server>((listening) => {
          const server = createServer().listen(0, () => listening(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  return ports
}

interface Backends {
  readonly adminUrl: string
  readonly caFile: string
  /** Local port of what stands behind a gate. */
  port(service: 'mqtt' | 'mqtts' | 'http' | 'https', kind: Kind): number
}

async function startBackends(directory: string, undo: (() => Promise<unknown> | void)[]): Promise<Backends> {
  const metrics = new Metrics()
  const log = createLogger({ level: 'silent' })
  const clock = systemClock
  const store = new MemoryStore({})
  const config = brokerConfig.parse({ listen: ['tcp://127.0.0.1:0'], sys_interval: 0 })
  const platform = await openPlatform({ store, log, metrics, clock })
  undo.push(() => store.close())
  undo.push(() => platform.close())
  const broker = new Broker({ ...platform, config, store, log, metrics, clock })
  const control = new Control(broker, platform)
  const publish = publisherOf(broker)
  platform.outlet.open(publish)
  const [tcp] = await broker.start()
  undo.push(() => broker.drain())
  const app = createApi({
    platform,
    log,
    metrics,
    clock,
    version: '0',
    adminToken,
    publish,
    clients: control,
  })
  const certificates = await makeAll(join(directory, 'pki'))
  const ports = new Map<string, number>([
    ['mqtt good', Number(new URL(tcp).port)],
    [
      'mqtt unavailable',
      await listen(
        createServer((socket) => socket.destroy()),
        undo,
      ),
    ],
  ])
  const withMqtt = (server: HttpServer): HttpServer => {
    attachWebSocket(server, '/mqtt', (stream, info, head) => broker.accept(stream, info, head), {
      log,
      metrics,
    })
    return server
  }
  ports.set('http good', await listen(withMqtt(createHttp(limits, app)), undo))
  const away = createHttp((_request, response) => {
    response.writeHead(503, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify({ code: 'unavailable', detail: 'the store cannot be written' }))
  })
  ports.set('http unavailable', await listen(away, undo))
  for (const kind of ['good', 'expired', 'wrong name'] as const) {
    const pem = certificates[kind]
    const tls = createTls(pem, (socket) => {
      socket.on('error', () => socket.destroy())
      const { remoteAddress = '', remotePort = 0 } = socket
      broker.accept(socket, { remoteAddress, remotePort, listener: 'tls', protocol: 'tls' }, null)
    })
    const https = withMqtt(createHttps({ ...pem, ...limits }, app))
    // oxlint-disable-next-line no-await-in-loop -- three
    ports.set(`mqtts ${kind}`, await listen(tls, undo))
    // oxlint-disable-next-line no-await-in-loop
    ports.set(`https ${kind}`, await listen(https, undo))
  }
  ports.set('mqtts unavailable', ports.get('mqtt unavailable') ?? 0)
  const secureAway = createHttps(certificates.good, (request, response) =>
    away.emit('request', request, response),
  )
  ports.set('https unavailable', await listen(secureAway, undo))
  return {
    adminUrl: `http://127.0.0.1:${ports.get('http good')}`,
    caFile: join(directory, 'pki', 'ca.pem'),
    // What is not encrypted has no certificate that could be bad.
    port: (service, kind) => ports.get(`${service} ${kind}`) ?? ports.get(`${service} good`) ?? 0,
  }
}

async function makeAll(directory: string): Promise<Record<'good' | 'expired' | 'wrong name', Pem>> {
  const dns = [serviceName, `api.${zone}`, `*.${zone}`]
  const make = async (name: string, names: string[], days: number): Promise<Pem> => {
    const { files } = await makeCertificates({ directory, requests: [{ name, dns: names }], days })
    const { certFile, keyFile } = files[name]
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  }
  const good = await make('good', dns, 90)
  // Certificates begin a day before they are made: this one ended half a day ago.
  const expired = await make('expired', dns, -0.5)
  return { good, expired, 'wrong name': await make('wrong', ['mqtt.elsewhere.test'], 90) }
}

interface Pem {
  readonly cert: string
  readonly key: string
}

function listen(server: Server, undo: (() => Promise<unknown> | void)[]): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  undo.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return new Promise((listening) => {
    server.listen(0, '127.0.0.1', () => listening((server.address() as AddressInfo).port))
  })
}

interface Gate {
  readonly dc: string
  readonly host: string
  readonly part: Part
  set(fault: Fault | null): Promise<void>
}

const services = { mqtt: 'broker', mqtts: 'broker', http: 'api', https: 'api' } as const

async function openGates(
  { hosts, ports }: Inventory,
  backends: Backends,
  undo: (() => Promise<unknown> | void)[],
): Promise<Gate[]> {
  const gates: Gate[] = []
  for (const { name: host, dc, address, roles } of hosts) {
    if (!roles.includes('app')) continue
    for (const service of ['mqtt', 'mqtts', 'http', 'https'] as const) {
      const at = { host: address, port: ports[service] }
      const gate = new PortGate(at, (kind) => backends.port(service, kind))
      // oxlint-disable-next-line no-await-in-loop -- they are many
      await gate.set(null)
      undo.push(() => gate.set('closed'))
      gates.push({ dc, host, part: services[service], set: (fault) => gate.set(fault) })
    }
  }
  return gates
}

/** Relays one port to what stands behind it, or does what the fault says. */
class PortGate {
  readonly #at: { host: string; port: number }
  readonly #portOf: (kind: Kind) => number
  readonly #pairs = new Set<{ front: Socket; back: Socket | null }>()
  #server: Server | null = null
  #fault: Fault | null = null

  constructor(at: { host: string; port: number }, portOf: (kind: Kind) => number) {
    this.#at = at
    this.#portOf = portOf
  }

  async set(fault: Fault | null): Promise<void> {
    const before = this.#fault
    this.#fault = fault
    if (fault === 'closed') return this.#shut()
    const sameAsBefore = kindOf(before) === kindOf(fault) && before !== 'closed'
    // A thawed connection goes on; one to something else does not.
    if (!sameAsBefore) this.#cut()
    if (fault === 'frozen') for (const pair of this.#pairs) stand(pair)
    else for (const pair of this.#pairs) goOn(pair)
    if (this.#server === null) await this.#listen()
  }

  async #listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (front) => this.#relay(front))
    this.#server = server
    await new Promise<void>((listening, failed) => {
      server.once('error', failed)
      server.listen(this.#at.port, this.#at.host, () => listening())
    })
  }

  #shut(): Promise<void> {
    const server = this.#server
    this.#server = null
    this.#cut()
    if (server === null) return Promise.resolve()
    return new Promise((closed) => {
      server.close(() => closed())
      // Those that were accepted in this very moment.
      this.#cut()
    })
  }

  #cut(): void {
    for (const { front, back } of this.#pairs) {
      front.destroy()
      back?.destroy()
    }
    this.#pairs.clear()
  }

  #relay(front: Socket): void {
    front.on('error', () => front.destroy())
    if (this.#fault === 'closed') return void front.destroy()
    const back = connect({ host: '127.0.0.1', port: this.#portOf(kindOf(this.#fault)), noDelay: true })
    back.on('error', () => back.destroy())
    const pair = { front, back }
    this.#pairs.add(pair)
    const end = (): void => {
      this.#pairs.delete(pair)
      front.destroy()
      back.destroy()
    }
    front.once('close', end)
    back.once('close', end)
    this.#pipe(front, back)
    this.#pipe(back, front)
    if (this.#fault === 'frozen') stand(pair)
  }

  #pipe(from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => {
      const fault = this.#fault
      const ms = typeof fault === 'object' && fault !== null ? fault.slowMs : 0
      if (ms === 0) to.write(chunk)
      else setTimeout(() => to.write(chunk), ms)
    })
  }
}

function stand({ front, back }: { front: Socket; back: Socket | null }): void {
  front.pause()
  back?.pause()
}

function goOn({ front, back }: { front: Socket; back: Socket | null }): void {
  front.resume()
  back?.resume()
}

function kindOf(fault: Fault | null): Kind {
  return fault === 'expired' || fault === 'wrong name' || fault === 'unavailable' ? fault : 'good'
}
