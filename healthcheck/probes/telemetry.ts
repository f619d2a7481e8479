import type { MqttTransport } from '../checker/config.ts'
import type { Access } from './access.ts'
import { keyOf, newValue, untilLatest } from './latest.ts'
import type { MqttSessions } from './mqtt-sessions.ts'
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
    timeoutMs: 5000,
    slowMs: 2000,
    run: async (target, signal) => {
      await sendAndRead(parts, { from: target, to: target, everyMs: 200 }, signal)
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
        await sendAndRead(parts, { from, to, everyMs: 500 }, signal)
      } catch (error) {
        throw new Error(`read in ${to.dc.name}: ${error instanceof Error ? error.message : ''}`, {
          cause: error,
        })
      }
      return { read_in: to.dc.name }
    },
  }
}

async function sendAndRead(
  { access, rest, sessions, transport }: TelemetryParts,
  { from, to, everyMs }: { from: Target; to: Target; everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  const key = keyOf(from === to ? 'mqtt' : 'far', from)
  const value = newValue()
  const session = await sessions.use(from, transport, signal)
  await session.publish(topic, JSON.stringify({ [key]: value }), signal)
  await untilLatest(rest, access, { target: to, key, value, everyMs }, signal)
}
