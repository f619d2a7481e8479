import { writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import path from 'node:path'
import { run, startServer } from '../process.ts'
import type { Need, Peer, Running, StartOptions } from './peer.ts'

// Debian keeps it where an ordinary user's PATH does not look
const candidates = ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto']

async function locate(): Promise<{ command: string; version: string } | null> {
  for (const command of candidates) {
    const { code, stdout } = await run(command, ['-h'])
    const version = /mosquitto version (\S+)/.exec(stdout)?.[1]
    if (code !== null && version !== undefined) return { command, version }
  }
  return null
}

/** No limits of its own, so that nothing is dropped; persistence as it has it: saved now and then, never before PUBACK. */
function configuration({ port, tls, durable, directory }: StartOptions): string {
  return [
    `user ${userInfo().username}`,
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'max_queued_bytes 0',
    'set_tcp_nodelay true',
    'log_type error',
    ...(tls === null ? [] : [`certfile ${tls.cert}`, `keyfile ${tls.key}`]),
    ...(durable ? ['persistence true', `persistence_location ${directory}/`] : []),
    '',
  ].join('\n')
}

export const mosquitto: Peer = {
  name: 'mosquitto',
  offers: new Set<Need>(['mqtt5', 'tls', 'durable']),
  async find() {
    const found = await locate()
    return found ?? { missing: 'not installed (Debian, Ubuntu: apt install mosquitto)' }
  },
  async start(options): Promise<Running> {
    const found = await locate()
    if (found === null) throw new Error('mosquitto is not installed')
    const file = path.join(options.directory, 'mosquitto.conf')
    await writeFile(file, configuration(options))
    const server = await startServer(found.command, ['-c', file], options)
    return { address: `127.0.0.1:${options.port}`, pid: server.pid, stop: () => server.stop() }
  },
}
