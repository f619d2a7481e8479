import net from 'node:net'
import type { ListenAddress } from './address.ts'

/** Connections the kernel holds for us while we are busy: a fleet that reconnects at once (capped by net.core.somaxconn). */
const BACKLOG = 4096

/** An open TCP port. */
export interface Port {
  /** The real one, where 0 was asked for. */
  readonly number: number
  stopAccepting(): void
  close(): Promise<void>
}

/**
 * Opens a TCP port. `connected` gets the plain accepted socket: nothing is attached to it, because an idle connection
 * should cost no more than Node's own 4 KB. `failed` hears of connections that the system could not accept
 * (no file descriptors left). Throws an Error of one line that names the listener and the remedy.
 */
export async function openPort(
  url: string,
  address: ListenAddress,
  connected: (socket: net.Socket) => void,
  failed: (error: Error) => void,
  backlog: number = BACKLOG,
): Promise<Port> {
  const server = net.createServer({ noDelay: true, allowHalfOpen: false }, connected)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(url, address, error)))
    const { host, port, reusePort } = address
    server.listen({ host, port, backlog, reusePort }, resolve)
  })
  server.removeAllListeners('error')
  server.on('error', failed)
  const bound = server.address()
  return {
    number: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    stopAccepting: () => stop(server),
    close: async () => {
      stop(server)
      // the callback of close() waits for every connection; the port itself is free with the handle, a tick later
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

/** The peer's address, an IPv4 one as such also on a dual-stack socket; empty when it is gone already. */
export function peerAddress(socket: net.Socket): string {
  const address = socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

function stop(server: net.Server): void {
  if (server.listening) server.close()
}

function explain(url: string, address: ListenAddress, error: NodeJS.ErrnoException): Error {
  const remedy: Record<string, string> = {
    EADDRINUSE: `port ${address.port} is in use; stop the other process or choose another port`,
    EACCES: `not allowed to open port ${address.port}; choose one above 1023 or give the process CAP_NET_BIND_SERVICE`,
    EADDRNOTAVAIL: `${address.host} is not an address of this machine; use one of its own, or [::] for all`,
    ENOTFOUND: `the host name ${address.host} is unknown; use an address`,
    EAI_AGAIN: `the host name ${address.host} could not be looked up; use an address`,
    ENOTSUP: `this system has no shared ports; remove reuse_port=1`,
    EAFNOSUPPORT: `this machine has no IPv6; use an IPv4 address`,
  }
  return new Error(`listener ${url}: ${remedy[error.code ?? ''] ?? error.message}`, { cause: error })
}
