import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Authenticator, ScramVerifier } from '#platform/auth/principal.ts'

/** The authentication method of MQTT 5.0, section 4.12, that this file speaks. */
export const SCRAM_SHA_256 = 'SCRAM-SHA-256'

/** MQTT 5.0, table 2-6. */
const PROTOCOL_ERROR = 0x82
const NOT_AUTHORIZED = 0x87
const BAD_AUTHENTICATION_METHOD = 0x8c

/** RFC 5802 sets none; what a client sends is held for the exchange. */
const MAX_MESSAGE_BYTES = 2048
/** RFC 7677, section 4. */
const LEAST_ITERATIONS = 4096
const KEY_BYTES = 32
const WRONG = 'wrong user name or password'

export type ScramContinue = { readonly status: 'continue'; readonly data: Buffer }
export type ScramSuccess = { readonly status: 'success'; readonly data: Buffer; readonly username: string }
/** `reason` is the MQTT 5 reason code; `explanation` tells the client nothing about who exists. */
export type ScramFailed = {
  readonly status: 'failed'
  readonly reason: number
  readonly explanation: string
}
export type ScramResult = ScramContinue | ScramSuccess | ScramFailed

/** Salts of users that do not exist stay the same while the process lives, as those of real users do. */
const decoySecret = randomBytes(KEY_BYTES)

/**
 * The server's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677) without channel binding. Messages come as the
 * Authentication Data of CONNECT and AUTH; `continue` is answered by AUTH 0x18, `success` by CONNACK or AUTH 0x00.
 * One object serves one exchange; re-authentication takes a new one.
 */
export class ScramExchange {
  readonly #authenticator: Authenticator
  readonly #nonce: () => string
  #state: 'new' | 'first' | 'final' | 'done' = 'new'
  #username = ''
  #verifier: ScramVerifier | null = null
  #gs2Header = ''
  #combinedNonce = ''
  /** AuthMessage without its last part (RFC 5802, section 3). */
  #messages = ''

  /** `nonce` is for test vectors. */
  constructor(authenticator: Authenticator, nonce: () => string = randomNonce) {
    this.#authenticator = authenticator
    this.#nonce = nonce
  }

  /** CONNECT's data: client-first-message, or nothing, which asks for it. Rejects if the store is away. */
  async start(data: Buffer): Promise<ScramContinue | ScramFailed> {
    if (this.#state !== 'new') return this.#fail(PROTOCOL_ERROR, 'the exchange has begun already')
    if (this.#authenticator.scram === undefined)
      return this.#fail(BAD_AUTHENTICATION_METHOD, `there are no users with ${SCRAM_SHA_256}`)
    this.#state = 'first'
    return data.length === 0 ? { status: 'continue', data: Buffer.alloc(0) } : await this.#first(data)
  }

  /** AUTH's data. Rejects if the store is away. */
  async next(data: Buffer): Promise<ScramResult> {
    if (this.#state === 'first') return await this.#first(data)
    if (this.#state === 'final') return this.#final(data)
    return this.#fail(PROTOCOL_ERROR, 'no message is due')
  }

  /** client-first-message: `n,,n=user,r=nonce` (RFC 5802, section 7). */
  async #first(data: Buffer): Promise<ScramContinue | ScramFailed> {
    // the next message may not overtake the store's answer
    this.#state = 'done'
    const text = decode(data)
    const [, gs2, flag, authzid, bare] = /^(([^,]*),((?:a=[^,]+)?),)(.*)$/s.exec(text ?? '') ?? []
    if (bare === undefined) return this.#fail(PROTOCOL_ERROR, 'malformed client-first-message')
    if (flag.startsWith('p=')) return this.#fail(NOT_AUTHORIZED, 'channel binding is not supported')
    // 'y': the client could bind and believes that we can't, which is so
    if (flag !== 'n' && flag !== 'y') return this.#fail(PROTOCOL_ERROR, 'bad channel binding flag')
    const [, rawName, clientNonce] = /^n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?$/s.exec(bare) ?? []
    const username = rawName === undefined ? null : saslName(rawName)
    if (username === null)
      return this.#fail(PROTOCOL_ERROR, 'client-first-message lacks a valid user name or nonce')
    if (authzid !== '' && authzid.slice(2) !== rawName)
      return this.#fail(NOT_AUTHORIZED, 'acting for another user (authzid) is not supported')

    const verifier = await this.#authenticator.scram?.(username)
    this.#username = username
    this.#verifier = verifier ?? null
    this.#gs2Header = gs2
    this.#combinedNonce = clientNonce + this.#nonce()
    // an unknown user learns so no sooner than one with a wrong password
    const { salt, iterations } = verifier ?? { salt: decoySalt(username), iterations: LEAST_ITERATIONS }
    const serverFirst = `r=${this.#combinedNonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`
    this.#messages = `${bare},${serverFirst}`
    this.#state = 'final'
    return { status: 'continue', data: Buffer.from(serverFirst) }
  }

  /** client-final-message: `c=biws,r=nonce,p=proof`. */
  #final(data: Buffer): ScramSuccess | ScramFailed {
    this.#state = 'done'
    const [, withoutProof, binding, nonce, proofText] =
      /^(c=([^,]+),r=([^,]+)(?:,.*)?),p=([^,]+)$/s.exec(decode(data) ?? '') ?? []
    if (proofText === undefined) return this.#fail(PROTOCOL_ERROR, 'malformed client-final-message')
    if (binding !== Buffer.from(this.#gs2Header).toString('base64'))
      return this.#fail(NOT_AUTHORIZED, 'the channel binding is not that of the first message')
    if (nonce !== this.#combinedNonce) return this.#fail(NOT_AUTHORIZED, 'wrong nonce')
    const proof = Buffer.from(proofText, 'base64')
    if (proof.length !== KEY_BYTES) return this.#fail(PROTOCOL_ERROR, 'the proof is not 32 bytes of base64')
    if (this.#verifier === null) return this.#fail(NOT_AUTHORIZED, WRONG)
    const message = `${this.#messages},${withoutProof}`
    const signature = hmac(this.#verifier.storedKey, message)
    const clientKey = proof.map((byte, i) => byte ^ signature[i])
    if (!timingSafeEqual(createHash('sha256').update(clientKey).digest(), this.#verifier.storedKey))
      return this.#fail(NOT_AUTHORIZED, WRONG)
    const serverSignature = hmac(this.#verifier.serverKey, message).toString('base64')
    return { status: 'success', data: Buffer.from(`v=${serverSignature}`), username: this.#username }
  }

  #fail(reason: number, explanation: string): ScramFailed {
    this.#state = 'done'
    return { status: 'failed', reason, explanation }
  }
}

function decode(data: Buffer): string | null {
  if (data.length > MAX_MESSAGE_BYTES) return null
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return null
  }
}

/** RFC 5802, section 5.1: "," and "=" stand there as =2C and =3D; the rest as SASLprep (RFC 4013) leaves it. */
function saslName(raw: string): string | null {
  if (/=(?!2C|3D)/.test(raw)) return null
  const name = raw.replaceAll('=2C', ',').replaceAll('=3D', '=').normalize('NFKC')
  return name === '' || /\p{C}/u.test(name) ? null : name
}

function decoySalt(username: string): Buffer {
  return hmac(decoySecret, username).subarray(0, 16)
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function randomNonce(): string {
  return randomBytes(18).toString('base64')
}
