import { fileURLToPath } from 'node:url'
import { startServer } from '../process.ts'
import { manifestVersion } from './manifest.ts'
import type { Need, Peer } from './peer.ts'

const script = fileURLToPath(new URL('./aedes-server.ts', import.meta.url))

/** The npm package, its persistence in memory (the default). */
export const aedes: Peer = {
  name: 'aedes',
  offers: new Set<Need>(['tls']),
  async find() {
    return { version: await manifestVersion(new URL('package.json', import.meta.resolve('aedes'))) }
  },
  async start({ port, pin, tls }) {
    const files = tls === null ? [] : [tls.cert, tls.key]
    const server = await startServer(process.execPath, [script, String(port), ...files], { port, pin })
    return { address: `127.0.0.1:${port}`, pid: server.pid, stop: () => server.stop() }
  },
}
