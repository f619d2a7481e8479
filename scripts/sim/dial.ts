import net from 'node:net'
import tls from 'node:tls'
import type { StubResolver } from './stub-resolver.ts'

/** How a simulated device reaches the service. */
export interface Way {
  /** `mqtt://` or `mqtts://` with host and port. */
  readonly url: string
  /** Absent: the system's. */
  readonly resolver?: StubResolver | undefined
  /** PEM of the authority that the service's certificate is of; absent: the public ones. */
  readonly ca?: Buffer | undefined
  /** Own address that connections come from. */
  readonly from?: string | undefined
}

/** Connects a socket; each call finds the name's address anew. Over TLS it is writable when the name was verified. */
export function dial({ url, resolver, ca, from }: Way): net.Socket {
  const { hostname, port, protocol } = new URL(url)
  const secure = protocol === 'mqtts:'
  const to = {
    host: hostname,
    port: port === '' ? (secure ? 8883 : 1883) : Number(port),
    noDelay: true,
    ...(resolver === undefined ? {} : { lookup: resolver.lookup }),
    ...(from === undefined ? {} : { localAddress: from }),
  }
  if (!secure) return net.connect(to)
  const servername = net.isIP(hostname) === 0 ? hostname : ''
  return tls.connect({ ...to, servername, ...(ca === undefined ? {} : { ca }) })
}
