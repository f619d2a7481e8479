import cassandra from 'cassandra-driver'
import type { Logger } from '#platform/log.ts'
import { DriverClient } from './driver-client.ts'
import { DriverWarnings } from './driver-warnings.ts'
import { StoreError } from '#platform/store/store.ts'

export interface ConnectionOptions {
  /** Addresses of some nodes of the own DC, or address:port (IPv4); the others are learned from them. */
  readonly contactPoints: readonly string[]
  /** Only nodes of this DC are asked: there is no fallback to another, that is a client's own affair (DNS). */
  readonly localDc: string
  readonly keyspace?: string
  readonly credentials?: { readonly username: string; readonly password: string }
  /** PEM texts. `cert` and `key` are ours, where the nodes ask for a certificate. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string }
  readonly log: Logger
  /** Nothing but the contact points is asked: to look at one node. */
  readonly only?: boolean
  /** How long one node is waited for; default: 2 s. */
  readonly readTimeoutMs?: number
}

/** How long one node is waited for. A request is tried on two at most, so a silent DC costs twice that. */
const requestTimeoutMs = 2_000
/** A request that took so long is also sent to another node: one that hangs costs this, not the timeout. */
const speculativeMs = 150
/** A silent node is found out within this time plus the timeout. */
const heartBeatMs = 2_000

/**
 * A connected driver. It reconnects by itself for ever (0.25 to 5 s); its calls fail meanwhile.
 *
 * @throws StoreError `unavailable` that says which node refused what; `readonly` for wrong credentials
 */
export async function connect(options: ConnectionOptions): Promise<cassandra.Client> {
  const { localDc, contactPoints, credentials, tls, log } = options
  const { loadBalancing, reconnection, speculativeExecution } = cassandra.policies
  const dcAware = new loadBalancing.DCAwareRoundRobinPolicy(localDc)
  const warnings = new DriverWarnings(log)
  const client = new DriverClient({
    contactPoints: [...contactPoints],
    localDataCenter: localDc,
    ...(options.keyspace === undefined ? {} : { keyspace: options.keyspace }),
    ...(credentials === undefined
      ? {}
      : {
          authProvider: new cassandra.auth.PlainTextAuthProvider(credentials.username, credentials.password),
        }),
    ...(tls === undefined ? {} : { sslOptions: { ...tls, rejectUnauthorized: true } }),
    policies: {
      loadBalancing:
        options.only === true
          ? new loadBalancing.AllowListPolicy(
              dcAware,
              contactPoints.map((one) => (/^[^:]+:\d+$/.test(one) ? one : `${one}:9042`)),
            )
          : new loadBalancing.TokenAwarePolicy(dcAware),
      reconnection: new reconnection.ExponentialReconnectionPolicy(250, 5_000, false),
      speculativeExecution: new speculativeExecution.ConstantSpeculativeExecutionPolicy(speculativeMs, 1),
      retry: new RetryOnce(),
    },
    queryOptions: {
      consistency: cassandra.types.consistencies.localQuorum,
      prepare: true,
      isIdempotent: true,
    },
    socketOptions: {
      readTimeout: options.readTimeoutMs ?? requestTimeoutMs,
      connectTimeout: requestTimeoutMs,
    },
    // A login costs the node 0.2 s of CPU: one connection a node carries all requests.
    pooling: { heartBeatInterval: heartBeatMs, coreConnectionsPerHost: { 0: 1, 1: 1, 2: 1 } },
    // Which node has which rows depends on the replicas of the keyspace.
    isMetadataSyncEnabled: true,
  })
  client.on('log', (level: string, name: string, message: string) => warnings.hear(level, name, message))
  try {
    await client.connect()
  } catch (error) {
    await client.shutdown().catch(() => undefined)
    throw connectError(error, options)
  }
  return client
}

/** Idempotent requests are tried on one other node, whatever failed; others on none. */
class RetryOnce extends cassandra.policies.retry.RetryPolicy {
  override onRequestError(
    info: cassandra.policies.retry.OperationInfo,
    consistency: cassandra.types.consistencies,
  ): cassandra.policies.retry.DecisionInfo {
    if (info.nbRetry > 0 || !info.executionOptions.isIdempotent()) return this.rethrowResult()
    return this.retryResult(consistency, false)
  }
}

function connectError(
  error: unknown,
  { contactPoints, localDc, credentials, tls }: ConnectionOptions,
): StoreError {
  const where = contactPoints.join(', ')
  const causes = innerErrors(error)
  const text = causes.map(({ message }) => message.trim().split('\n')[0]).join('; ')
  const say = (code: StoreError['code'], message: string): StoreError =>
    new StoreError(code, message, { cause: error })
  if (
    causes.some(
      (cause) => cause.name === 'AuthenticationError' || /authenticat|credentials/i.test(cause.message),
    )
  ) {
    return say(
      'readonly',
      credentials === undefined
        ? `Cassandra at ${where} wants a user and a password: none are set`
        : `Cassandra at ${where} refuses user ${credentials.username}: wrong user or password (${text})`,
    )
  }
  const dc = /localDataCenter was configured as .*only found hosts in data centers: (.*)$/.exec(text)
  if (dc !== null)
    return say(
      'version',
      `Cassandra at ${where} has no datacenter ${localDc}, only ${dc[1]}: set the right one`,
    )
  if (tls !== undefined && /certificate|self.signed|altnames|ERR_TLS|ssl|tls/i.test(text)) {
    return say('unavailable', `Cassandra at ${where}: TLS is refused: ${text}`)
  }
  if (/ECONNRESET|socket was closed|closed by|hang up/i.test(text)) {
    return say(
      'unavailable',
      `Cassandra at ${where} closes the connection${tls === undefined ? ': does it want TLS?' : ''} (${text})`,
    )
  }
  return say('unavailable', `Cassandra at ${where} cannot be reached: ${text}`)
}

/** What the nodes said, each, where an error is of many nodes. */
export function innerErrors(error: unknown): Error[] {
  if (error instanceof cassandra.errors.NoHostAvailableError) {
    const inner = Object.values(error.innerErrors as Record<string, unknown>).filter(
      (one) => one instanceof Error,
    )
    if (inner.length > 0) return inner
  }
  return error instanceof Error ? [error] : [new Error(String(error))]
}
