import { createHmac } from 'node:crypto'
import type { Channel } from './channel.ts'
import { bodyOf } from './message.ts'

const prefix = 'whsec_'
/** Bytes of a secret, as Standard Webhooks asks for. */
const secretBytes = [24, 64] as const
const timeoutMs = 10_000

/** The key that a secret is, or null: it is not `whsec_` and base64 of 24 to 64 bytes. */
export function webhookKey(secret: string): Buffer | null {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret)) return null
  const key = Buffer.from(secret.slice(prefix.length), 'base64')
  return key.length >= secretBytes[0] && key.length <= secretBytes[1] ? key : null
}

/**
 * Headers by which a receiver knows who sent it and that it is not an old one: Standard Webhooks 1.0.0, symmetric
 * signature. `at`: seconds since 1970.
 */
export function signedHeaders(
  key: Buffer,
  { id, at, body }: { id: string; at: number; body: string },
): Record<string, string> {
  const signature = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': `v1,${signature}` }
}

/** Posts messages as JSON; whatever is not 2xx is a failure. Redirects are not followed. */
export function webhook({ name, url, key }: { name: string; url: string; key: Buffer }): Channel {
  return {
    name,
    kind: 'webhook',
    async send(message) {
      const body = bodyOf(message)
      const headers = signedHeaders(key, { id: message.id, at: Math.floor(message.at / 1000), body })
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      await response.body?.cancel()
      if (!response.ok) throw new Error(`it answered ${response.status}`)
    },
  }
}
