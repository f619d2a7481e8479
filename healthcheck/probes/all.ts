import type { ProbeConfig } from '../checker/config.ts'
import type { Access } from './access.ts'
import { mqttRoundTrip } from './mqtt-round-trip.ts'
import { MqttSessions } from './mqtt-sessions.ts'
import type { Probe, Target } from './probe.ts'
import { Rest } from './rest.ts'
import { restRead } from './rest-read.ts'
import { restWrite } from './rest-write.ts'

export interface ProbeParts {
  readonly access: Access
  readonly config: ProbeConfig
  /** Hosts that are looked at. */
  readonly targets: readonly Target[]
  /** Whether that host failed the last time: then no other host's probe goes by it. */
  readonly failing: (host: string) => boolean
  /** A kept connection to that host has ended by itself. */
  readonly lost: (host: string) => void
}

/** All probes that the configuration asks for. `close` ends their connections. */
export function allProbes({ access, config, lost }: ProbeParts): {
  probes: readonly Probe[]
  close: () => Promise<void>
} {
  const rest = new Rest(access, lost)
  const sessions = new MqttSessions(access, lost)
  const probes = [
    restRead(rest, access),
    restWrite(rest, access),
    ...config.mqtt.map((transport) => mqttRoundTrip(sessions, access.checker, transport)),
  ]
  return {
    probes,
    close: async () => {
      rest.close()
      await sessions.close()
    },
  }
}
