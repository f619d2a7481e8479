import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const hash = (data: Buffer): Buffer => createHash('sha256').update(data).digest()

/** The client's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), without channel binding. */
export class ScramClient {
  readonly #username: string
  readonly #password: string
  readonly #nonce = randomBytes(18).toString('base64')
  #serverSignature = ''

  constructor(username: string, password: string) {
    this.#username = username
    this.#password = password
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#bare()}`)
  }

  final(serverFirst: Buffer): Buffer {
    const text = serverFirst.toString()
    const field = (name: string): string => text.match(`(?:^|,)${name}=([^,]*)`)?.[1] ?? ''
    const salted = pbkdf2Sync(
      this.#password.normalize('NFKC'),
      Buffer.from(field('s'), 'base64'),
      Number(field('i')),
      32,
      'sha256',
    )
    const clientKey = hmac(salted, 'Client Key')
    const withoutProof = `c=biws,r=${field('r')}`
    const message = `${this.#bare()},${text},${withoutProof}`
    const signature = hmac(hash(clientKey), message)
    const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message).toString('base64')
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /** Whether the server has shown that it knows the password as well. */
  trusts(serverFinal: Buffer | undefined): boolean {
    return serverFinal?.toString() === `v=${this.#serverSignature}`
  }

  #bare(): string {
    return `n=${this.#username},r=${this.#nonce}`
  }
}
