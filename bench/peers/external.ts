import type { Need, Peer } from './peer.ts'

/**
 * A broker that runs already, without authentication: `--peer external=HOST:PORT` or `external=HOST:PORT/PID`, with
 * the process id of a local one for its processor time and memory. It is neither pinned nor restarted between runs.
 */
export function external(specification: string): Peer {
  const match = /^(.+:\d+)(?:\/(\d+))?$/.exec(specification)
  const address = match?.[1]
  if (address === undefined)
    throw new Error(`--peer external=${specification}: expected HOST:PORT or HOST:PORT/PID`)
  return {
    name: 'external',
    offers: new Set<Need>(['mqtt5']),
    async find() {
      return { version: address }
    },
    async start() {
      return { address, pid: Number(match?.[2] ?? 0), async stop() {} }
    },
  }
}
