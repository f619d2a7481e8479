import { z } from 'zod'
import { aclRule } from '#platform/auth/acl.ts'
import { httpConfig } from '#platform/limits/config.ts'
import { quotaConfig } from '#platform/limits/quotas.ts'

/**
 * Every key of the broker with its default, its bounds and what it does (`cinque broker --help` prints this).
 * Unknown keys are errors. Each bound exists because what it bounds is held in memory for a client.
 */
const seconds = (fallback: number) => z.number().int().min(0).max(4_294_967_295).default(fallback)
const count = (fallback: number, max = 2_147_483_647) => z.number().int().min(0).max(max).default(fallback)

const mqttConfig = z.strictObject({
  receive_maximum: z
    .number()
    .int()
    .min(1)
    .max(65_535)
    .default(1024)
    .describe(
      'QoS 1 and 2 PUBLISH packets a client may have unacknowledged towards the broker; announced in CONNACK (MQTT 5, 3.2.2.3.3)',
    ),
  receive_maximum_policy: z
    .enum(['disconnect', 'log'])
    .default('disconnect')
    .describe(
      'what happens to an MQTT 5 client that exceeds it: disconnect with 0x93, or only a log line and a counter',
    ),
  maximum_qos: z
    .number()
    .int()
    .min(0)
    .max(2)
    .default(2)
    .describe('highest QoS accepted in PUBLISH and granted in SUBACK'),
  retain_available: z.boolean().default(true).describe('whether retained messages are kept'),
  wildcard_subscription_available: z.boolean().default(true).describe('whether filters may hold + and #'),
  subscription_identifiers_available: z
    .boolean()
    .default(true)
    .describe('whether SUBSCRIBE may carry a subscription identifier'),
  shared_subscription_available: z
    .boolean()
    .default(true)
    .describe('whether $share/{group}/{filter} is accepted'),
  maximum_packet_size: z
    .number()
    .int()
    .min(128)
    .max(268_435_460)
    .default(262_144)
    .describe(
      'largest packet accepted, in bytes, fixed header included; larger ones are refused from the header (0x95)',
    ),
  topic_alias_maximum: count(32, 65_535).describe('topic aliases a client may use towards the broker'),
  outbound_topic_alias_maximum: count(32, 65_535).describe(
    'topic aliases the broker uses towards a client that allows them; 0: none',
  ),
  session_expiry_maximum: seconds(4_294_967_295).describe(
    'longest session expiry interval granted, in seconds; 3.1.1 clients with clean session 0 get this one',
  ),
  server_keep_alive: seconds(0).describe(
    'longest keep-alive granted, in seconds (MQTT 5 clients are told by Server Keep Alive, others are held to it); 0: the client decides',
  ),
  allow_empty_client_id: z
    .boolean()
    .default(true)
    .describe('whether the broker assigns a client id to a client that brings none'),
  max_client_id_bytes: z
    .number()
    .int()
    .min(23)
    .max(65_535)
    .default(1024)
    .describe('longest client id, in bytes of UTF-8'),
  max_topic_bytes: z
    .number()
    .int()
    .min(1)
    .max(65_535)
    .default(4096)
    .describe('longest topic name or filter, in bytes of UTF-8'),
  max_topic_levels: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(128)
    .describe('most levels in a topic name or filter'),
  max_subscriptions: count(10_000).describe('subscriptions a session may hold (0x97 beyond)'),
  max_inflight: z
    .number()
    .int()
    .min(1)
    .max(65_535)
    .default(8192)
    .describe(
      'QoS 1 and 2 messages sent to a client and not acknowledged yet; an MQTT 5 client may ask for less by Receive Maximum',
    ),
  max_queue_messages: z
    .number()
    .int()
    .min(1)
    .default(100_000)
    .describe('messages waiting for a session beyond those in flight'),
  max_queue_bytes: z
    .number()
    .int()
    .min(1024)
    .default(67_108_864)
    .describe('bytes waiting for a session that ends with its connection; persistent sessions wait on disk'),
  queue_policy: z
    .enum(['drop_oldest', 'drop_newest'])
    .default('drop_oldest')
    .describe("what gives way when a session's queue is full; each drop is counted"),
  max_retained_messages: count(1_000_000).describe(
    'retained messages an organisation may have (0x97 beyond)',
  ),
  max_retained_bytes: count(268_435_456).describe('their bytes: topics, payloads and properties'),
  message_expiry_maximum: seconds(0).describe(
    'longest message expiry interval, in seconds, also put on messages without one; 0: the publisher decides',
  ),
})

export const limitsConfig = z.strictObject({
  max_connections: count(100_000).describe('connections at a time, all listeners together (0x88 beyond)'),
  max_sessions: count(500_000).describe(
    'sessions an organisation may have, connected or kept for their clients (0x97 beyond)',
  ),
  connect_timeout: z.number().min(0.1).default(10).describe('seconds from accept to a complete CONNECT'),
  connect_rate: count(0).describe(
    'new connections a second, all listeners together; 0: no limit (0x9F beyond)',
  ),
  connect_burst: count(0).describe('connections accepted at once above the rate; 0: one second of it'),
  message_rate: count(0).describe(
    'PUBLISH packets a second from one client; 0: no limit. QoS 1 and 2 of MQTT 5 are refused with 0x97, others slowed down',
  ),
  byte_rate: count(0).describe('PUBLISH bytes a second from one client; 0: no limit'),
  flapping_count: count(0).describe(
    'connects of one client id within flapping_window after which it is banned; 0: never',
  ),
  flapping_window: z.number().min(1).default(60).describe('seconds'),
  flapping_ban: z.number().min(1).default(300).describe('seconds a flapping client is refused (0x8A)'),
  output_high: z
    .number()
    .int()
    .min(4096)
    .default(1_048_576)
    .describe("bytes waiting in a client's socket at which its publishers are paused"),
  output_max: z
    .number()
    .int()
    .min(65_536)
    .default(8_388_608)
    .describe('bytes waiting at which QoS 0 messages to it are dropped and counted'),
  stall_timeout: z
    .number()
    .min(0.1)
    .default(5)
    .describe(
      'seconds without progress after which a client that does not read no longer pauses its publishers; QoS 0 messages to it are dropped and counted meanwhile',
    ),
  unacknowledged_rows: z
    .number()
    .int()
    .min(1024)
    .default(65_536)
    .describe(
      'rows waiting for the disk at which publishers are paused; those of organisations with durability geo count apart',
    ),
  unacknowledged_bytes: z
    .number()
    .int()
    .min(1_048_576)
    .default(67_108_864)
    .describe('bytes waiting for the disk at which publishers are paused'),
  drain_timeout: z.number().min(0).default(10).describe('seconds that a drain may take after SIGTERM'),
})

const tlsConfig = z.strictObject({
  cert: z.string().describe('PEM file with the certificate chain; read again on SIGHUP and when it changes'),
  key: z.string().describe('PEM file with the private key'),
  ca: z.string().optional().describe('PEM file with the CAs of client certificates'),
  organisation_authorities: z
    .boolean()
    .optional()
    .describe(
      'whether certificates of authorities that organisations have registered are taken, too; then ca may be left out',
    ),
  client_certificate: z
    .enum(['none', 'optional', 'required'])
    .default('none')
    .describe('whether clients show a certificate (mTLS)'),
  identity: z
    .enum(['cn', 'san'])
    .default('cn')
    .describe('which name of the certificate is the device: subject CN or the first DNS or URI SAN'),
  min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2'),
})

const authConfig = z.strictObject({
  anonymous: z.boolean().default(false).describe('whether a client without user name may connect'),
  users: z
    .array(
      z.strictObject({
        username: z.string().min(1),
        password: z.string().optional().describe('in the clear; for tests. Or password_sha256'),
        password_sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .optional(),
        acl: z.array(aclRule).optional(),
      }),
    )
    .default([])
    .describe('users of the broker itself, beside the devices of the platform'),
  acl: z
    .array(aclRule)
    .default([
      { effect: 'allow', access: 'all', filter: '#' },
      { effect: 'allow', access: 'subscribe', filter: '$SYS/#' },
    ])
    .describe(
      'rules for anonymous clients and for users without their own; first match wins, no match denies; # does not cover topics that begin with $',
    ),
})

export const brokerConfig = z.strictObject({
  listen: z
    .array(z.string())
    .default(['tcp://127.0.0.1:1883'])
    .describe(
      'tcp://, tls://, ws:// or wss:// with host and port; ?proxy=1 expects a PROXY v1 or v2 header, ?reuse_port=1 shares the port with other processes',
    ),
  tls: tlsConfig.optional(),
  data: z.string().optional().describe('directory of the store; absent: in memory'),
  store_max_bytes: z
    .number()
    .int()
    .min(1_048_576)
    .optional()
    .describe(
      'most bytes of rows in the store; when it is full, nothing is acknowledged until it has room again; absent: what the disk has',
    ),
  organisation: z
    .string()
    .min(1)
    .default('default')
    .describe('the organisation of anonymous clients and configured users'),
  mqtt: mqttConfig.prefault({}),
  limits: limitsConfig.prefault({}),
  quotas: quotaConfig.prefault({}),
  http: httpConfig.prefault({}),
  auth: authConfig.prefault({}),
  sys_interval: z.number().min(0).default(10).describe('seconds between $SYS updates; 0: none'),
  trace_clients: z
    .array(z.string())
    .max(1000)
    .default([])
    .describe('client ids whose packets are logged, one line each'),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
})

export type BrokerConfig = z.output<typeof brokerConfig>
export type LimitsConfig = BrokerConfig['limits']
