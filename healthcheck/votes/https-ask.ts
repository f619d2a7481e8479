import { Agent, request } from 'node:https'
import type { Ask } from './exchange.ts'
import { maxAnswer } from './message.ts'

export interface Peer {
  readonly checker: string
  readonly address: string
  readonly port: number
}

/**
 * Asks over HTTPS. Certificates of the others must come from `ca` (PEM) and name the checker; who answered is told by
 * the signature of the votes alone.
 */
export function httpsAsk(options: {
  peers: readonly Peer[]
  /** The secret part of the paths. */
  secret: string
  ca: string
}): {
  readonly ask: Ask
  /** Another page of a checker, by what comes after the secret. */
  page(checker: string, name: string, signal: AbortSignal): Promise<string>
  close(): void
} {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 2,
    maxFreeSockets: 1,
    ca: options.ca,
    minVersion: 'TLSv1.3',
  })
  const peers = new Map(options.peers.map((peer) => [peer.checker, peer]))
  async function page(checker: string, name: string, signal: AbortSignal): Promise<string> {
    const peer = peers.get(checker)
    if (peer === undefined) throw new Error(`no address of checker ${checker} is known`)
    return get(peer, `/hc/${options.secret}/${name}`, agent, signal)
  }
  return {
    ask: (checker, nonce, signal) => page(checker, `votes?nonce=${nonce}`, signal),
    page,
    close: () => agent.destroy(),
  }
}

function get(
  { checker, address, port }: Peer,
  path: string,
  agent: Agent,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: address,
        port,
        path,
        agent,
        signal,
        servername: checker,
        headers: { accept: 'application/json' },
      },
      (response) => {
        if (response.statusCode !== 200) {
          response.resume()
          reject(new Error(`it answered ${response.statusCode}; is its secret the same?`))
          return
        }
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          // One byte more is enough to know that it is too much.
          if (size > maxAnswer) response.destroy(new Error(`its answer has more than ${maxAnswer} bytes`))
          else chunks.push(chunk)
        })
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
        response.on('error', reject)
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}
