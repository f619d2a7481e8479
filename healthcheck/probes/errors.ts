const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
  EPIPE: 'connection closed',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate comes from an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate comes from an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate comes from an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate comes from an unknown authority',
}

/** An error of Node in words, with where it happened. */
export function plainError(error: unknown, where: string): Error {
  if (error instanceof StalledError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' && error instanceof Error) {
    return new Error(`${where}: the certificate is for another name (${altNames(error)})`, { cause: error })
  }
  const known = typeof code === 'string' ? words[code] : undefined
  if (known !== undefined) return new Error(`${where}: ${known}`, { cause: error })
  const text = error instanceof Error ? error.message : String(error)
  return new Error(text.includes(where) ? text : `${where}: ${text}`, { cause: error })
}

function altNames({ message }: Error): string {
  return /cert's altnames: (.*)$/.exec(message)?.[1] ?? message
}

/** No answer came while the checker itself stood still: it says nothing about the host. */
export class StalledError extends Error {
  /** Milliseconds that the limit came too late. */
  readonly ms: number

  constructor(says: string, ms: number) {
    super(says)
    this.ms = ms
  }
}

/** The host answers, but not to this checker: its device or API key is refused. */
export class RefusedError extends Error {}
