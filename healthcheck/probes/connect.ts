import { createConnection, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Access } from './access.ts'
import { plainError } from './errors.ts'

/** Milliseconds for TCP and TLS; less than the limits of probes, so that the error says what did not come. */
const connectMs = 4000

/**
 * A connection to that address and port; over TLS it was asked for by the service name, and the certificate is good for
 * that name and comes from a trusted authority. TLS sessions are not resumed: that would skip the certificate.
 * Rejects with an Error of one line.
 */
export function connect(
  { serviceName, secure }: Pick<Access, 'serviceName' | 'secure'>,
  { address, port, tls }: { address: string; port: number; tls: boolean },
  signal: AbortSignal,
): Promise<Socket | TLSSocket> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(connectMs)])
  return new Promise((opened, failed) => {
    let stage = `${address}:${port} does not answer (TCP)`
    const socket = createConnection({ host: address, port, noDelay: true })
    const outer = tls
      ? connectTls({ socket, servername: serviceName, secureContext: secure, minVersion: 'TLSv1.2' })
      : socket
    const done = (): void => {
      limit.removeEventListener('abort', abort)
      outer.off('error', fail)
      outer.off('close', close)
    }
    const fail = (error: Error): void => {
      done()
      outer.on('error', () => undefined)
      outer.destroy()
      socket.destroy()
      failed(plainError(error, `${address}:${port}`))
    }
    const close = (): void => fail(new Error(`${address}:${port} closed the connection during the handshake`))
    const abort = (): void => fail(signal.aborted ? (signal.reason as Error) : new Error(stage))
    if (limit.aborted) return abort()
    limit.addEventListener('abort', abort, { once: true })
    socket.once('connect', () => (stage = `${address}:${port} accepts, but no TLS handshake follows`))
    outer.on('error', fail)
    outer.on('close', close)
    outer.once(tls ? 'secureConnect' : 'connect', () => {
      done()
      opened(outer)
    })
  })
}
