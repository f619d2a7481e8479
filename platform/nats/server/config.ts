import type { CertificateFiles } from '#platform/pki/certificates.ts'
import { broadcastSubject, directSubject, SUBJECT_PREFIX } from '../subjects.ts'

/** Largest frame that a server passes on. */
const MAX_PAYLOAD = 1 << 20
/** What may wait for one slow connection before it is closed: above the channels' own bound of a peer. */
const MAX_PENDING = 32 << 20
/** Processes of two hosts, people with a tool, and room for connections that the server does not yet know are dead. */
const MAX_CONNECTIONS = 256

const NAME = /^[a-z0-9][a-z0-9.-]*$/
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/
const PUBLIC_NKEY = /^U[A-Z2-7]{55}$/
const PASSWORD = /^[A-Za-z0-9._~-]{12,}$/

interface NatsTls extends CertificateFiles {
  readonly caFile: string
}

/** What one nats-server of a cell must know. */
export interface NatsConfig {
  /** Name of the server in the mesh, `dc01-n1`; unique. */
  readonly name: string
  /** `address:port` for the processes of its host and of the sibling host. */
  readonly clients: string
  /** `address:port` for metrics (`/varz`, `/gatewayz`), without TLS or password: loopback only. */
  readonly monitor?: string
  /** For both clients and gateways. The certificate must name what peers and clients dial. */
  readonly tls?: NatsTls
  /** Public nkeys (`U...`) of the processes that may connect; empty: anybody may. */
  readonly users: readonly string[]
  /** Public nkey of whoever may watch the server itself (system account). */
  readonly watcher?: string
  /** The mesh; none: a server alone. */
  readonly gateway?: {
    /** `address:port` for the other servers. */
    readonly listen: string
    /** Shared by all servers of the cell. */
    readonly password: string
    /** All servers of the cell, this one may be among them. `address` is what to dial: `name:port`. */
    readonly servers: readonly { readonly name: string; readonly address: string }[]
  }
  /** As given to the bus. */
  readonly subjectPrefix?: string
}

/**
 * Text of a nats-server configuration. Each server is a cluster of its own, meshed with all others by gateways: so the
 * loss of one server costs no other server's traffic anything (docs/cluster.md). A silent peer is noticed in 3 to 4 s.
 *
 * @throws Error naming the field that is wrong
 */
export function natsConfig(config: NatsConfig): string {
  checkConfig(config)
  const lines = [
    `server_name: ${quote(config.name)}`,
    `listen: ${quote(config.clients)}`,
    ...(config.monitor === undefined ? [] : [`http: ${quote(config.monitor)}`]),
    `max_payload: ${MAX_PAYLOAD}`,
    `max_pending: ${MAX_PENDING}`,
    `max_connections: ${MAX_CONNECTIONS}`,
    'max_control_line: 4096',
    // Shorter ones closed live clients on a starved machine.
    'write_deadline: "10s"',
    'ping_interval: "1s"',
    'ping_max: 3',
    // One slow process must not stall those that send to others as well.
    'no_fast_producer_stall: true',
    'lame_duck_grace_period: "1s"',
    'lame_duck_duration: "30s"',
    ...tlsBlock(config.tls, ''),
    ...accounts(config),
    ...gateway(config),
  ]
  return `${lines.join('\n')}\n`
}

function accounts(config: NatsConfig): string[] {
  if (config.users.length === 0) return []
  const subjects = [directSubject(config.subjectPrefix, '*'), broadcastSubject(config.subjectPrefix)]
  const allowed = `[${subjects.map(quote).join(', ')}]`
  return [
    'accounts {',
    '  CINQUE {',
    `    default_permissions { publish: ${allowed}, subscribe: ${allowed} }`,
    '    users: [',
    ...config.users.map((nkey) => `      { nkey: ${nkey} }`),
    '    ]',
    '  }',
    `  SYS { users: [${config.watcher === undefined ? '' : `{ nkey: ${config.watcher} }`}] }`,
    '}',
    'system_account: SYS',
  ]
}

function gateway(config: NatsConfig): string[] {
  if (config.gateway === undefined) return []
  const { listen, password, servers } = config.gateway
  return [
    'gateway {',
    `  name: ${quote(config.name)}`,
    `  listen: ${quote(listen)}`,
    // A new server joins by gossip, without a restart of all others; mutual TLS and the password guard the door.
    '  reject_unknown_cluster: false',
    ...tlsBlock(config.tls, '  '),
    `  authorization { user: gateway, password: ${quote(password)}, timeout: 3 }`,
    '  gateways: [',
    ...servers
      .filter((server) => server.name !== config.name)
      .map(
        (s) => `    { name: ${quote(s.name)}, urls: [${quote(`nats://gateway:${password}@${s.address}`)}] }`,
      ),
    '  ]',
    '}',
  ]
}

function tlsBlock(tls: NatsTls | undefined, indent: string): string[] {
  if (tls === undefined) return []
  return [
    `${indent}tls {`,
    `${indent}  cert_file: ${quote(tls.certFile)}`,
    `${indent}  key_file: ${quote(tls.keyFile)}`,
    `${indent}  ca_file: ${quote(tls.caFile)}`,
    `${indent}  timeout: 2`,
    `${indent}}`,
  ]
}

/** nats-server reads the escapes of JSON strings. */
function quote(text: string): string {
  return JSON.stringify(text)
}

function checkConfig(config: NatsConfig): void {
  const wrong = (field: string, value: string, remedy: string): Error =>
    new Error(`nats-server ${config.name}: ${field}: "${value}" ${remedy}`)
  const address = (field: string, value: string | undefined): void => {
    if (value !== undefined && !ADDRESS.test(value)) throw wrong(field, value, 'must be address:port')
  }
  if (!NAME.test(config.name))
    throw wrong('name', config.name, 'must be small letters, digits, dots and hyphens')
  address('clients', config.clients)
  address('monitor', config.monitor)
  for (const nkey of config.users)
    if (!PUBLIC_NKEY.test(nkey))
      throw wrong('users', secret(nkey), 'must be the public nkey of a user: U and 55 letters')
  if (config.watcher !== undefined && !PUBLIC_NKEY.test(config.watcher))
    throw wrong('watcher', secret(config.watcher), 'must be the public nkey of a user: U and 55 letters')
  if (config.subjectPrefix !== undefined && !SUBJECT_PREFIX.test(config.subjectPrefix))
    throw wrong(
      'subjectPrefix',
      config.subjectPrefix,
      'must be letters, digits, hyphens, parts joined by dots',
    )
  if (config.gateway === undefined) return
  address('gateway.listen', config.gateway.listen)
  if (!PASSWORD.test(config.gateway.password))
    throw wrong('gateway.password', '...', 'must be 12 or more letters, digits and ._~-: it stands in URLs')
  for (const server of config.gateway.servers) {
    if (!NAME.test(server.name))
      throw wrong('gateway.servers', server.name, 'must be small letters, digits, dots and hyphens')
    address(`gateway.servers: ${server.name}`, server.address)
  }
}

/** A seed given where a public key belongs must not end in a log. */
function secret(key: string): string {
  return key.startsWith('S') ? 'S... (a seed)' : key
}
