import { createConnection, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Access } from './access.ts'
import { plainError } from './errors.ts'
import { answerMs, silence } from './patience.ts'

/**
 * A connection to that address and port; over TLS it was asked for by the service name, and the certificate is good for
 * that name and comes from a trusted authority. TLS sessions are not resumed: that would skip the certificate.
 * Rejects with an Error of one line; when TCP or TLS is not answered in `answerMs`, too.
 */
export function connect(
  { serviceName, secure }: Pick<Access, 'serviceName' | 'secure'>,
  { address, port, tls }: { address: string; port: number; tls: boolean },
  signal: AbortSignal,
): Promise<Socket | TLSSocket> {
  return new Promise((opened, failed) => {
    let stage = `${address}:${port} does not answer (TCP)`
    let since = performance.now()
    const socket = createConnection({ host: address, port, noDelay: true })
    const outer = tls
      ? connectTls({ socket, servername: serviceName, secureContext: secure, minVersion: 'TLSv1.2' })
      : socket
    const done = (): void => {
      clearTimeout(limit)
      signal.removeEventListener('abort', abort)
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
    const abort = (): void => fail(signal.reason as Error)
    const limit = setTimeout(() => fail(silence(since, answerMs, stage)), answerMs)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('connect', () => {
      stage = `${address}:${port} accepts, but no TLS handshake follows`
      since = performance.now()
      limit.refresh()
    })
    outer.on('error', fail)
    outer.on('close', close)
    outer.once(tls ? 'secureConnect' : 'connect', () => {
      done()
      opened(outer)
    })
  })
}
