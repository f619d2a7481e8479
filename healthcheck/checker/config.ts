import { z } from 'zod'
import { notifyConfig } from '../notify/config.ts'
import { statusConfig } from '../status/config.ts'

const file = (what: string) => z.string().min(1).describe(`${what}; relative to this file`)
/** Where a TCP connection goes, `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`. */
const nameServer = z
  .string()
  .regex(
    /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\])(:\d{1,5})?$/i,
    'must be an address, as 192.0.2.1 or [2001:db8::1]:5353',
  )

/** How MQTT is spoken: in the clear, over TLS, over WebSocket (over TLS where the API has it). */
const mqttTransports = ['tcp', 'tls', 'ws'] as const
export type MqttTransport = (typeof mqttTransports)[number]

const probe = z.strictObject({
  service_name: z
    .string()
    .min(1)
    .optional()
    .describe('what hosts are asked for by SNI and Host (default: the first of `dns.names` in the zone)'),
  tls: z.boolean().default(true).describe('whether the API is asked over TLS, on `ports.https`'),
  mqtt: z
    .array(z.enum(mqttTransports))
    .min(1)
    .default(['tls', 'ws'])
    .describe('how MQTT is tried: tcp, tls, ws (over TLS if `tls` says so)'),
  ca_file: file('PEM file of the authority that certificates must come from').optional(),
  device_id: z
    .string()
    .min(1)
    .max(36)
    .describe('the checker’s own device, see `cinque healthcheck provision`'),
  device_key_file: file('file with its key'),
  api_key_file: file('file with an API key of the same organisation that may read devices and telemetry'),
  certificate_days: z
    .int()
    .min(1)
    .max(365)
    .default(14)
    .describe('fewer days left of a certificate: degraded'),
  clock_skew: z.number().min(1).max(300).default(10).describe('seconds of difference: degraded'),
  disk_free: z.number().min(0).max(1).default(0.1).describe('share of a disk; less free: degraded'),
  name_servers: z
    .array(nameServer)
    .max(16)
    .default([])
    .describe('asked for the names of the zone; none: DNS is not tried'),
})

const hostAndPort = z.string().regex(/^(\[[0-9a-f:]+\]|[^:]+):\d{1,5}$/i, 'must be host:port')

const dns = z.strictObject({
  listen: hostAndPort.describe('where it answers DNS, UDP and TCP; port 53 needs CAP_NET_BIND_SERVICE'),
  places_file: file(
    'networks and where they are, see docs/dns.md; without it nobody’s place is known',
  ).optional(),
})

const gdnsd = z.strictObject({
  states_file: file('the file `cinque` in the directory `extfile` of its state directory, see docs/dns.md'),
})

/** What makes a process a checker: one file for each vantage point. */
export const checkerConfig = z.strictObject({
  name: z.string().min(1).describe('name of the host in the inventory; it has the role checker'),
  inventory: file('the inventory of the cell'),
  key_file: file('PEM file of the Ed25519 key that signs its votes (PKCS#8)'),
  keys: z
    .record(z.string(), z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 43 of A-Z, a-z, 0-9, - and _'))
    .describe('public keys of all checkers by name, its own included: 32 bytes in base64url'),
  secret_file: file('file with the secret part of the paths that DNS providers ask'),
  state: file('directory for what must survive a restart: history, the last overrides'),
  listen: hostAndPort
    .optional()
    .describe(
      'where it serves HTTP and HTTPS, both on one port (default: its address in the inventory, `ports.checker`)',
    ),
  tls: z
    .strictObject({
      cert_file: file('PEM file of the certificate that the other checkers see'),
      key_file: file('PEM file of its private key'),
      ca_file: file('PEM file of the authority of the other checkers’ certificates'),
    })
    .describe('between checkers'),
  probe,
  dns: dns.optional().describe('the checker as a name server; without it there is none'),
  gdnsd: gdnsd.optional().describe('a gdnsd beside it, which gives what the votes say'),
  status: statusConfig.prefault({}).describe('the status page'),
  notify: notifyConfig.prefault({}).describe('who is told of alerts'),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
})

export type CheckerConfig = z.output<typeof checkerConfig>
export type ProbeConfig = CheckerConfig['probe']
