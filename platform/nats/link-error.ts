import {
  AuthorizationError,
  nkeys,
  PermissionViolationError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node'
import type { LinkOptions } from './link.ts'

/** Why there is no connection to a nats-server, in one line for whoever must mend it. */
export class LinkError extends Error {
  /** It will not pass by itself: somebody must change a key, a certificate or a configuration. */
  readonly refused: boolean

  constructor(message: string, refused: boolean, cause: unknown) {
    super(message, { cause })
    this.name = 'LinkError'
    this.refused = refused
  }
}

const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'CERT_SIGNATURE_FAILURE',
])

export function linkError(cause: unknown, server: string, options: LinkOptions): LinkError {
  const at = `nats-server ${server}`
  const passing = (text: string): LinkError => new LinkError(`${at}: ${text}`, false, cause)
  const refused = (text: string): LinkError => new LinkError(`${at}: ${text}`, true, cause)
  if (!(cause instanceof Error)) return passing('the connection was closed')
  if (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError)
    return refused(
      options.nkeySeed === undefined
        ? 'wants an nkey: give the seed of one of its users'
        : `does not know this nkey: add its public key ${publicKey(options.nkeySeed)} to the server's users`,
    )
  if (cause instanceof PermissionViolationError)
    return refused(
      `does not let this user ${cause.operation === 'publish' ? 'publish to' : 'subscribe to'} ` +
        `"${cause.subject}": compare its permissions with the subject prefix`,
    )
  const { code, message } = cause as NodeJS.ErrnoException
  if (cause instanceof TimeoutError || code === 'ETIMEDOUT') return passing('does not answer')
  if (code !== undefined && UNTRUSTED.has(code))
    return refused(
      options.tls === undefined
        ? 'wants TLS: give the file of its certificate authority (tls.caFile)'
        : `its certificate is not from the authority in ${options.tls.caFile}`,
    )
  if (code === 'CERT_HAS_EXPIRED') return refused('its certificate has expired: make a new one')
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return refused(`its certificate is not for this name or address (${message})`)
  if (message.includes("'tls'")) return refused('has no TLS, but tls is asked for')
  if (message.includes("doesn't exist")) return refused(`tls.caFile: ${message}`)
  if (code === 'ECONNREFUSED') return passing('nothing listens there')
  if (code === 'ENOTFOUND') return passing('the name has no address')
  return passing(message)
}

function publicKey(seed: string): string {
  return nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey()
}
