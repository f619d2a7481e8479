import { hash, randomBytes } from 'node:crypto'

/** What a key is for; its first letter says so, so that a person who finds one in a log knows what to rotate. */
export type KeyKind = 'device' | 'token' | 'node' | 'provisioning'

const prefixes = { device: 'k_', token: 't_', node: 'n_', provisioning: 'p_' } as const

/** Longest text that is looked at as a key. */
export const maxKeyText = 256

/** 128 random bits as text, `k_` and 32 hex digits. Shown once; only its `keyHash` is stored. */
export function newKey(kind: KeyKind): string {
  return prefixes[kind] + randomBytes(16).toString('hex')
}

/**
 * 16 random bytes as 22 characters of base64url: short enough for the IoT Guru library's packets of 128 bytes. None begins
 * with `-`, as options of a command line do.
 */
export function newId(): string {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? newId() : id
}

/**
 * SHA-256 of a key, by which it is stored and found. A fast hash is enough: a key has 128 random bits and can't be
 * guessed, and since it is looked up by this hash, timing tells nothing about it.
 */
export function keyHash(key: string | Uint8Array): Buffer {
  return hash('sha256', key, 'buffer')
}

/** Whether the text can be a key of a device brought from elsewhere: IoT Guru's are 22 characters of base64url. */
export const importedKey = /^[A-Za-z0-9_-]{22,128}$/
