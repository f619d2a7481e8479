import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** Signs for this checker, and knows the signatures of all others. */
export interface Keyring {
  /** Base64url. */
  sign(text: string): string
  /** Whether `checker` is known and has signed exactly this. */
  verify(checker: string, text: string, signature: string): boolean
}

/** Begins whatever is signed: a signature for something else is none for votes. */
const context = 'cinque votes 1\n'
/** 64 bytes in base64url. */
const signaturePattern = /^[A-Za-z0-9_-]{86}$/

/**
 * Ed25519 keys (RFC 8032).
 *
 * @param privateKey this checker's, of type Ed25519
 * @param publicKeys of all checkers by name, this one's too: 32 bytes in base64url
 * @throws Error of one line that names the key that is wrong
 */
export function keyring(options: {
  checker: string
  privateKey: KeyObject
  publicKeys: Readonly<Record<string, string>>
}): Keyring {
  const own = options.privateKey
  const keys = new Map(
    Object.entries(options.publicKeys).map(([name, key]) => [name, publicKeyOf(name, key)]),
  )
  const owners = new Map<string, string>()
  for (const [name, key] of Object.entries(options.publicKeys)) {
    const other = owners.get(key)
    if (other !== undefined) throw new Error(`keys.${name}: is ${other}'s too; make one for each checker`)
    owners.set(key, name)
  }
  if (keys.get(options.checker)?.equals(createPublicKey(own)) !== true) {
    const { x } = createPublicKey(own).export({ format: 'jwk' })
    throw new Error(`keys.${options.checker}: is not that of this checker's key_file, which is ${x}`)
  }
  return {
    sign: (text) => sign(null, Buffer.from(context + text), own).toString('base64url'),
    verify(checker, text, signature) {
      const key = keys.get(checker)
      if (key === undefined || !signaturePattern.test(signature)) return false
      return verify(null, Buffer.from(context + text), key, Buffer.from(signature, 'base64url'))
    },
  }
}

function publicKeyOf(name: string, text: string): KeyObject {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' })
  } catch (error) {
    throw new Error(`keys.${name}: is no Ed25519 public key of 32 bytes in base64url`, { cause: error })
  }
}
