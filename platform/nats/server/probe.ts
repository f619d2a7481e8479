import { createConnection } from 'node:net'

/**
 * Whether a nats-server takes clients: it greets. A frozen one accepts the connection (the kernel does) but does not;
 * one that is about to go (lame duck) listens no more.
 *
 * @param server `host:port`
 */
export function takesClients(server: string, timeoutMs: number): Promise<boolean> {
  const colon = server.lastIndexOf(':')
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: Number(server.slice(colon + 1)) })
    const done = (answer: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(done, timeoutMs, false)
    let greeting = ''
    socket.on('data', (chunk) => {
      greeting += chunk.toString('latin1')
      if (greeting.length >= 5) done(greeting.startsWith('INFO '))
    })
    socket.on('error', () => done(false))
    socket.on('close', () => done(false))
  })
}
