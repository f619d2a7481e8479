import { TLSSocket } from 'node:tls'
import type { Access } from './access.ts'
import { connect } from './connect.ts'
import type { Probe } from './probe.ts'

const dayMs = 86_400_000

/** How long the certificates of the API and of MQTT are still good. That they are good now, the others find out. */
export function certificate(
  access: Access,
  services: readonly ('https' | 'mqtts')[],
  leastDays: number,
): Probe {
  return {
    name: 'certificate',
    weight: 'degrade',
    interval: 600,
    timeoutMs: 10_000,
    slowMs: 5000,
    run: async ({ host }, signal) => {
      let days = Number.POSITIVE_INFINITY
      for (const service of services) {
        const port = access.inventory.ports[service]
        // oxlint-disable-next-line no-await-in-loop -- two
        const left = await daysLeft(access, { address: host.address, port }, signal)
        if (left < leastDays)
          throw new Error(`the certificate of port ${port} is good for ${left.toFixed(1)} days`)
        days = Math.min(days, left)
      }
      return { days: Math.floor(days) }
    },
  }
}

async function daysLeft(
  access: Access,
  at: { address: string; port: number },
  signal: AbortSignal,
): Promise<number> {
  const socket = await connect(access, { ...at, tls: true }, signal)
  try {
    if (!(socket instanceof TLSSocket)) throw new Error('no TLS')
    return (Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / dayMs
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}
