import { createConnection } from 'node:net'

/**
 * Resolves when a nats-server greets: then it takes clients. A frozen one accepts the connection (the kernel does) but
 * does not greet; one that is about to go (lame duck) listens no more.
 *
 * @param server `host:port`
 * @throws Error with the code of the socket, or `ETIMEDOUT`
 */
export function greeting(server: string, timeoutMs: number): Promise<void> {
  const colon = server.lastIndexOf(':')
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port: Number(server.slice(colon + 1)) })
    const fail = (code: string, message: string): void => reject(Object.assign(new Error(message), { code }))
    socket.setTimeout(timeoutMs, () => {
      fail('ETIMEDOUT', 'does not answer')
      socket.destroy()
    })
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (text.length < 5) return
      if (text.startsWith('INFO ')) resolve()
      else fail('EPROTO', 'is no nats-server')
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => fail('ECONNRESET', 'closed the connection'))
  })
}

/** Whether a nats-server takes clients. */
export function takesClients(server: string, timeoutMs: number): Promise<boolean> {
  return greeting(server, timeoutMs).then(
    () => true,
    () => false,
  )
}
