import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocket } from 'ws'

/**
 * MQTT over WebSocket (MQTT 5, 6) on a connection that is open already. Rejects with an Error of one line when the
 * server does not upgrade it.
 */
export function upgrade(socket: Socket, hostAndPath: string, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://${hostAndPath}`, 'mqtt', {
      createConnection: () => socket,
      perMessageDeflate: false,
    })
    const done = (): void => {
      signal.removeEventListener('abort', abort)
      ws.off('error', fail)
    }
    const fail = (error: Error): void => {
      done()
      ws.on('error', () => undefined)
      ws.terminate()
      socket.destroy()
      reject(new Error(`no WebSocket: ${error.message}`, { cause: error }))
    }
    const abort = (): void => fail(signal.reason as Error)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    ws.on('error', fail)
    ws.once('open', () => {
      done()
      resolve(createWebSocketStream(ws))
    })
  })
}
