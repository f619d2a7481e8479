import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { startServer } from '../process.ts'
import { nodeFlags, startPlatform } from './cinque-platform.ts'
import { manifestVersion } from './manifest.ts'
import type { Need, Peer, Running, StartOptions } from './peer.ts'

const root = path.join(import.meta.dirname, '..', '..')
const entry = path.join(root, 'scripts', 'cinque.js')

/** ACL rules and quotas that are evaluated for every message and never bite; metrics are always on. */
const gates = {
  auth: {
    anonymous: true,
    acl: [
      { effect: 'deny', access: 'all', filter: 'forbidden/#' },
      { effect: 'allow', access: 'publish', filter: 'bench/#' },
      { effect: 'allow', access: 'subscribe', filter: 'bench/#' },
      { effect: 'allow', access: 'all', filter: '#' },
    ],
  },
  limits: { message_rate: 1_000_000_000, byte_rate: 2_000_000_000 },
  log_level: 'warn',
}

async function startBroker(options: StartOptions): Promise<Running> {
  const { port, tls, directory, durable, nodeArgs } = options
  const file = path.join(directory, 'cinque.json')
  await writeFile(file, JSON.stringify({ ...gates, ...(tls === null ? {} : { tls }) }))
  const scheme = tls === null ? 'tcp' : 'tls'
  const store = durable ? ['--data', path.join(directory, 'data')] : ['--memory']
  const args = ['broker', '--listen', `${scheme}://127.0.0.1:${port}`, '--config', file, ...store]
  const server = await startServer(process.execPath, [...nodeFlags, ...nodeArgs, entry, ...args], options)
  return { address: `127.0.0.1:${port}`, pid: server.pid, stop: () => server.stop() }
}

export const cinque: Peer = {
  name: 'cinque',
  offers: new Set<Need>(['mqtt5', 'tls', 'durable', 'platform']),
  async find() {
    return { version: await manifestVersion(path.join(root, 'package.json')) }
  },
  start: (options) => (options.devices > 0 ? startPlatform(entry, options) : startBroker(options)),
}
