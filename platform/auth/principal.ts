/** What a client showed when it connected. */
export interface Credentials {
  readonly clientId: string
  readonly username?: string | undefined
  readonly password?: Uint8Array | undefined
  /** From mTLS, already verified against the listener's CA. */
  readonly certificate?:
    | {
        readonly cn: string
        readonly sans: readonly string[]
        readonly fingerprint: string
        /** It was verified against this authority of an organisation, not against the listener's. */
        readonly authority?:
          | {
              readonly org: string
              readonly authority: string
              readonly serial: string
              readonly subject: string
              readonly notBefore: number
              readonly notAfter: number
            }
          | undefined
      }
    | undefined
  readonly remoteAddress: string
}

/** A device as the rest of the platform names it. `id` never changes, `name` is unique within the organisation. */
export interface DeviceRef {
  readonly org: string
  readonly id: string
  readonly name: string
  /** Milliseconds since 1970; absent: not known. */
  readonly createdAt?: number | undefined
}

/** Limits of one client; absent fields mean the broker's own configuration. */
export interface Quota {
  readonly messagesPerSecond?: number | undefined
  readonly bytesPerSecond?: number | undefined
  readonly maxPacketSize?: number | undefined
}

export type Access = 'publish' | 'subscribe'

/** Why something was allowed or denied: the rule, in words a person can act on. */
export interface Decision {
  readonly allowed: boolean
  readonly reason: string
}

/** Compiled for one client: placeholders are already filled in. */
export interface Acl {
  /** May this client publish to the topic / subscribe to the filter? A filter must be covered entirely by one allow rule and touch no deny rule. */
  check(access: Access, topicOrFilter: string): boolean
  explain(access: Access, topicOrFilter: string): Decision
}

/** Who a connection is. */
export interface Principal {
  readonly org: string
  /** For `%u` and for logs. */
  readonly username: string
  readonly device: DeviceRef | null
  readonly acl: Acl
  readonly quota: Quota
  /** Hash of the key or fingerprint of the certificate that it came with, hex; absent: neither is known. */
  readonly credential?: string | undefined
  /** When that ends, milliseconds since 1970; absent: never. */
  readonly expiresAt?: number | undefined
}

/** Why a CONNECT is refused. `reason` is the MQTT 5 reason code; the listener translates it for 3.1.1. */
export interface Denial {
  readonly denied: 'bad_credentials' | 'not_authorized' | 'banned' | 'unavailable'
  readonly explanation: string
}

export interface Authenticator {
  /**
   * Answers at once where it can (connect storms), with a promise where it must ask a store.
   * Never throws for bad credentials; a rejected promise means the store was away.
   */
  authenticate(credentials: Credentials): Principal | Denial | Promise<Principal | Denial>
  /** Enhanced authentication (MQTT 5, 4.12): the SCRAM-SHA-256 verifier of a user, or undefined. */
  scram?(username: string): Promise<ScramVerifier | undefined>
  /** The principal of a user who proved himself by SCRAM. */
  scramPrincipal?(username: string, clientId: string): Promise<Principal | Denial>
}

/** RFC 5802, section 3. */
export interface ScramVerifier {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}
