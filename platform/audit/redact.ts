/** Names whose values are never kept. */
const secretName =
  /(?:^|_)(?:password|passphrase|secret|token|private_key|key_pem|authorization|refresh|access_token|link)$/i
/** `key` also names what a device measures; what is as long as one of ours is a key. */
const keyName = /(?:^|_)key$/i
const keyLength = 16
/** Our own keys and tokens, wherever they stand. */
const secretValue =
  /(?:\b(?:k|t|n|r|i|p|s|w)_[0-9a-f]{32,}|\bcq_[0-9a-f]{32,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----)/
/** Bytes of JSON kept of one object. */
const maxBytes = 16_384
const maxDepth = 12

export const redacted = '[redacted]'

/** JSON of a value without secrets; of one that is too long, its first level with short values only. */
export function redact(value: unknown): string {
  const text = JSON.stringify(clean(value, '', 0)) ?? 'null'
  if (Buffer.byteLength(text) <= maxBytes) return text
  return JSON.stringify({ truncated: true, bytes: Buffer.byteLength(text) })
}

function clean(value: unknown, name: string, depth: number): unknown {
  if (typeof value === 'string') return isSecret(value, name) ? redacted : value.toWellFormed()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return value.toJSON()
  if (secretName.test(name) || ArrayBuffer.isView(value)) return redacted
  if (depth >= maxDepth) return '[deep]'
  if (Array.isArray(value)) return value.map((one) => clean(one, name, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key.toWellFormed(), clean(one, key, depth + 1)]),
  )
}

function isSecret(text: string, name: string): boolean {
  return secretName.test(name) || (keyName.test(name) && text.length >= keyLength) || secretValue.test(text)
}
