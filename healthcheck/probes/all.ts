import type { ProbeConfig } from '../checker/config.ts'
import type { Access } from './access.ts'
import { cassandra } from './cassandra.ts'
import { certificate } from './certificate.ts'
import { clock } from './clock.ts'
import { disk } from './disk.ts'
import { dnsAnswer } from './dns-answer.ts'
import { elsewhereOf } from './elsewhere.ts'
import { gateways } from './gateways.ts'
import { messageElsewhere } from './message-elsewhere.ts'
import { mqttRoundTrip } from './mqtt-round-trip.ts'
import { MqttSessions } from './mqtt-sessions.ts'
import { NodeMetrics } from './node-metrics.ts'
import type { Probe, Target } from './probe.ts'
import { Rest } from './rest.ts'
import { restRead } from './rest-read.ts'
import { restWrite } from './rest-write.ts'
import { telemetry, telemetryElsewhere } from './telemetry.ts'

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

const wanted = [
  'cinque_cassandra_up',
  'cinque_cassandra_nodes',
  'cinque_bus_connected',
  'cinque_bus_away',
  'cinque_cluster_peers',
  'cinque_cluster_peers_in_contact',
  'cinque_disk_free_ratio',
]

/** All probes that the configuration asks for. `close` ends their connections. */
export function allProbes({ access, config, targets, failing, lost }: ProbeParts): {
  probes: readonly Probe[]
  close: () => Promise<void>
} {
  const { checker, inventory } = access
  const rest = new Rest(access, lost)
  const sessions = new MqttSessions(access, lost)
  const metrics = new NodeMetrics(rest, wanted)
  const elsewhere = elsewhereOf(targets, failing)
  const [transport] = config.mqtt
  const parts = { access, rest, sessions, transport }
  const encrypted = [
    ...(access.tls ? (['https'] as const) : []),
    ...(config.mqtt.includes('tls') ? (['mqtts'] as const) : []),
  ]
  const probes = [
    restRead(rest, access),
    restWrite(rest, access),
    ...config.mqtt.map((one) => mqttRoundTrip(sessions, checker, one)),
    telemetry(parts),
    telemetryElsewhere(parts, elsewhere),
    messageElsewhere(sessions, checker, transport, elsewhere),
    cassandra(metrics),
    gateways(metrics),
    disk(metrics, config.disk_free),
    clock(rest, config.clock_skew),
    ...(encrypted.length === 0 ? [] : [certificate(access, encrypted, config.certificate_days)]),
    dnsAnswer(inventory, config.name_servers),
  ].filter((probe) => probe !== undefined)
  return {
    probes,
    close: async () => {
      rest.close()
      await sessions.close()
    },
  }
}
