import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { type CinqueClient, createClient } from '#client/index.ts'
import type { Figures } from '../generator.ts'
import { startServer, type Server } from '../process.ts'
import type { Running, StartOptions } from './peer.ts'

const announced = z.object({ url: z.string(), token: z.string(), mqtt: z.string() })

const ANNOUNCE_LIMIT_MS = 10_000
const PAGE = 10_000

/** What `cinque dev --json` prints when it is ready; it may listen a moment before. */
export async function announcement(server: Server): Promise<z.output<typeof announced>> {
  const end = Date.now() + ANNOUNCE_LIMIT_MS
  while (Date.now() < end) {
    const text = server.output()
    if (/^\}|\}\s*$/m.test(text)) return announced.parse(JSON.parse(text))
    await delay(20)
  }
  throw new Error(`cinque dev did not say that it is ready: ${server.output().slice(-500)}`)
}

/** Points of the generator's first key that one device has in its history from a time on. */
async function countHistory(client: CinqueClient, device: string, from: number): Promise<number> {
  let count = 0
  const query = { keys: 'k0', order: 'asc', limit: PAGE, from: String(from) } as const
  const points = client.items('/v1/devices/{device}/telemetry', { params: { path: { device }, query } })
  for await (const _ of points) count++
  return count
}

/** What ./scripts/cinque starts Node with. */
export const nodeFlags = ['--single-threaded-gc']

/** The whole platform as one process, with devices made for the run; what the first one sent is counted in its history. */
export async function startPlatform(entry: string, options: StartOptions): Promise<Running> {
  const { port, directory, nodeArgs, devices } = options
  const args = [
    'dev',
    '--data',
    path.join(directory, 'data'),
    '--mqtt-port',
    String(port),
    '--http-port',
    '0',
  ]
  const server = await startServer(
    process.execPath,
    [...nodeFlags, ...nodeArgs, entry, ...args, '--json'],
    options,
  )
  try {
    const { url, token } = await announcement(server)
    const client = createClient({ url, token })
    const name = (i: number) => `bench-${i}`
    const lines: string[] = []
    for (let i = 0; i < devices; i++) {
      const { key } = await client.post('/v1/devices', { body: { name: name(i) } })
      lines.push(`${name(i)}\t${name(i)}\t${key}\n`)
    }
    const credentials = path.join(directory, 'credentials.tsv')
    await writeFile(credentials, lines.join(''), { mode: 0o600 })
    return {
      address: `127.0.0.1:${port}`,
      pid: server.pid,
      credentials,
      async verify(figures: Figures) {
        const sent = figures['firstDeviceSent'] ?? NaN
        const found = await countHistory(client, name(0), figures['firstTs'] ?? 0)
        return found === sent ? null : `the first device sent ${sent}, its history holds ${found}`
      },
      stop: () => server.stop(),
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}
