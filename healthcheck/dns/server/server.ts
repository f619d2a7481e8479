import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIPv6, type Server, type Socket } from 'node:net'
import { Buckets, type Rate } from '#platform/limits/buckets.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import { systemTimers, type Timers } from '#platform/timers.ts'
import type { DnsView } from '../view.ts'
import { type AddressBytes, addressBytes, networkOf } from './address.ts'
import { noPlaces, type Places } from './places.ts'
import { type ResponderOptions, type Response, respond, truncatedResponse } from './responder.ts'
import { rotation } from './rotation.ts'
import { TcpMessages } from './tcp-messages.ts'

export interface DnsServerOptions {
  /** One port for UDP and TCP; 0: any. */
  readonly listen: { readonly host: string; readonly port: number }
  /** What is answered; looked at for each question. */
  readonly view: Pick<DnsView, 'tree' | 'healthy'>
  /** Full names of the zone's name servers, see nameServersOf. */
  readonly nameServers: readonly string[]
  /** Default: nobody's place is known. */
  readonly places?: Places
  readonly metrics: Metrics
  readonly log: Logger
  /** Numbers from 0 up to 1 that choose among several answers; default: a rotation. */
  readonly choose?: () => number
  /** Answers to one network (/24, /56); default: 200 a second, 1000 at once. */
  readonly rate?: Rate
  readonly timers?: Timers
}

export interface DnsServer {
  readonly host: string
  readonly port: number
  close(): Promise<void>
}

/** Networks whose rate is remembered; about 10 MB. */
const maxNetworks = 50_000
const maxConnections = 256
/** Of one network. */
const maxConnectionsEach = 32
/** A connection on which nobody asks (RFC 7766, 6.2.3). */
const idleMs = 10_000
/** Answers that a connection has not taken yet; who asks on without reading is cut. */
const maxUnsentBytes = 256 * 1024
/** Of excess questions one in so many is told to come by TCP, where a false sender can't. */
const slip = 2

/**
 * Answers for a zone over UDP and TCP, authoritatively and for that zone only.
 *
 * @throws Error of one line that names the address and the remedy, if it can't be listened on
 */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { listen, metrics, log, timers = systemTimers } = options
  const responder: ResponderOptions = {
    view: options.view,
    nameServers: options.nameServers,
    places: options.places ?? noPlaces,
    choose: options.choose ?? rotation(),
  }
  const buckets = new Buckets(options.rate ?? { rate: 200, burst: 1000 }, maxNetworks)
  const count = (transport: string, { rcode, truncated }: Response): void => {
    metrics.counter('cinque_dns_answers_total', 'DNS questions answered', { transport, rcode }).value++
    if (truncated) {
      metrics.counter('cinque_dns_truncated_total', 'DNS answers that ask to come by TCP').value++
    }
  }
  const drop = (reason: string): void => {
    metrics.counter('cinque_dns_dropped_total', 'DNS questions not answered', { reason }).value++
  }
  /** A question that can't be answered must not end the process. */
  const safely = (answer: () => Response | undefined): Response | undefined => {
    try {
      const response = answer()
      if (response === undefined) drop('malformed')
      return response
    } catch (error) {
      log.error({ event: 'dns.answer', error }, 'a DNS question could not be answered')
      drop('error')
      return undefined
    }
  }

  let excess = 0
  const byUdp = (message: Buffer, from: AddressBytes): Response | undefined => {
    if (buckets.take(networkOf(from), timers.monotonic()).allowed) {
      return safely(() => respond(responder, message, from, 'udp'))
    }
    const response = ++excess % slip === 0 ? truncatedResponse(message) : undefined
    if (response === undefined) drop('rate')
    return response
  }

  const connections = new Map<Socket, string>()
  const accept = (socket: Socket): void => {
    const from = addressBytes(socket.remoteAddress ?? '')
    const network = from === undefined ? '' : networkOf(from)
    const sameNetwork = [...connections.values()].filter((one) => one === network).length
    if (from === undefined || connections.size >= maxConnections || sameNetwork >= maxConnectionsEach) {
      drop('connections')
      socket.destroy()
      return
    }
    connections.set(socket, network)
    const messages = new TcpMessages()
    socket.setTimeout(idleMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => connections.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      const complete = messages.push(chunk)
      if (complete === undefined) {
        drop('too-long')
        socket.destroy()
        return
      }
      for (const message of complete) {
        if (!buckets.take(network, timers.monotonic()).allowed) {
          drop('rate')
          socket.destroy()
          return
        }
        const response = safely(() => respond(responder, message, from, 'tcp'))
        if (response === undefined || socket.writableLength > maxUnsentBytes) {
          if (response !== undefined) drop('unread')
          socket.destroy()
          return
        }
        count('tcp', response)
        const length = Buffer.alloc(2)
        length.writeUInt16BE(response.message.length)
        socket.write(Buffer.concat([length, response.message]))
      }
    })
  }

  metrics.gauge('cinque_dns_connections', 'DNS connections by TCP', () => connections.size)
  const { udp, tcp, port } = await open(listen)
  udp.on('error', (error) => log.error({ event: 'dns.udp', error }, 'DNS over UDP failed'))
  udp.on('message', (message, peer) => {
    const from = addressBytes(peer.address)
    // Port 0 is nobody's; answers are never answered, so that nothing can go back and forth for ever.
    const response = from === undefined || peer.port === 0 ? undefined : byUdp(message, from)
    if (response === undefined) return
    count('udp', response)
    udp.send(response.message, peer.port, peer.address, (error) => {
      if (error !== null) drop('send')
    })
  })
  tcp.on('connection', accept)
  tcp.on('error', (error) => log.error({ event: 'dns.tcp', error }, 'DNS over TCP failed'))
  log.info({ event: 'dns.listen', host: listen.host, port }, `answers for ${options.view.tree.zone}`)
  return {
    host: listen.host,
    port,
    async close() {
      for (const socket of connections.keys()) socket.destroy()
      await Promise.all([
        new Promise<void>((resolve) => tcp.close(() => resolve())),
        new Promise<void>((resolve) => udp.close(() => resolve())),
      ])
    },
  }
}

interface Sockets {
  readonly udp: UdpSocket
  readonly tcp: Server
  readonly port: number
}

/** How often another port is tried where any will do, and the one got for UDP is taken for TCP. */
const portTries = 10

async function open({ host, port }: DnsServerOptions['listen']): Promise<Sockets> {
  for (let tries = 1; ; tries++) {
    const udp = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const tcp = createServer()
    try {
      udp.bind(port, host)
      await once(udp, 'listening')
      const bound = udp.address().port
      tcp.listen(bound, host)
      await once(tcp, 'listening')
      return { udp, tcp, port: bound }
    } catch (error) {
      udp.close()
      if (port === 0 && tries < portTries) continue
      const { code, message } = error as NodeJS.ErrnoException
      throw new Error(`cannot answer DNS on ${host} port ${port}: ${remedies[code ?? ''] ?? message}`, {
        cause: error,
      })
    }
  }
}

const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use; stop the other process or choose another port',
  EACCES: 'not allowed; choose a port above 1023 or give the process CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine does not have that address',
}
