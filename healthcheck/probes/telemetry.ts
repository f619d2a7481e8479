import type { MqttTransport } from '../checker/config.ts'
import type { Access } from './access.ts'
import { keyOf, newValue, untilLatest } from './latest.ts'
import type { MqttSessions } from './mqtt-sessions.ts'
import { answered, wholeMs } from './patience.ts'
import type { Probe, Target } from './probe.ts'
import type { Rest } from './rest.ts'

interface TelemetryParts {
  readonly access: Access
  readonly rest: Rest
  readonly sessions: MqttSessions
  readonly transport: MqttTransport
}

const topic = 'v1/devices/me/telemetry'

/** A value sent by MQTT is acknowledged, and read by REST on the same host: what devices are for. */
export function telemetry(parts: TelemetryParts): Probe {
  return {
    name: 'telemetry',
    weight: 'serve',
    timeoutMs: wholeMs,
    slowMs: 2000,
    run: async (target, signal) => {
      const { key, value } = await send(parts, { from: target, kind: 'mqtt' }, signal)
      await answered(signal, `what was stored cannot be read back from ${target.host.address}`, (limited) =>
        untilLatest(parts.rest, parts.access, { target, key, value, everyMs: 200 }, limited),
      )
      return undefined
    },
  }
}

/** The same, read in another DC: whether stores take each other's writes over. */
export function telemetryElsewhere(
  parts: TelemetryParts,
  elsewhere: (from: Target) => Target | undefined,
): Probe {
  return {
    name: 'telemetry-elsewhere',
    weight: 'degrade',
    interval: 60,
    timeoutMs: 15_000,
    slowMs: 5000,
    run: async (from, signal) => {
      const to = elsewhere(from)
      if (to === undefined) return { skipped: 'no other DC is well' }
      try {
        const { key, value } = await send(parts, { from, kind: 'far' }, signal)
        await untilLatest(parts.rest, parts.access, { target: to, key, value, everyMs: 500 }, signal)
      } catch (error) {
        throw new Error(`read in ${to.dc.name}: ${error instanceof Error ? error.message : ''}`, {
          cause: error,
        })
      }
      return { read_in: to.dc.name }
    },
  }
}

/** Resolves with what was sent when it is acknowledged. */
async function send(
  { sessions, transport }: TelemetryParts,
  { from, kind }: { from: Target; kind: 'mqtt' | 'far' },
  signal: AbortSignal,
): Promise<{ key: string; value: number }> {
  const key = keyOf(kind, from)
  const value = newValue()
  const session = await sessions.use(from, transport, signal)
  await answered(signal, `${from.host.address} does not acknowledge telemetry (${transport})`, (limited) =>
    session.publish(topic, JSON.stringify({ [key]: value }), limited),
  )
  return { key, value }
}
