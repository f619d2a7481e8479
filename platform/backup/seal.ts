import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { BackupError } from './backup-error.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** First bytes of every sealed object: the format and its version. */
const magic = Buffer.from('CQB1')
const flagsAt = magic.length
const ivAt = flagsAt + 1
const ivBytes = 12
const textAt = ivAt + ivBytes
const tagBytes = 16
const compressed = 1
/** Bytes of a key file's secret. */
export const secretBytes = 32

/**
 * Objects as they lie in the storage: AES-256-GCM, with the name of the object as associated data, so that one object
 * cannot be put in the place of another. Names of contents are HMAC-SHA256 under a key of their own: who sees the
 * storage cannot tell whether a known file is in it.
 */
export class Seal {
  /** Says of a repository whether this is its key, without giving it away. */
  readonly check: string
  readonly #encryption: Buffer
  readonly #naming: Buffer

  constructor(secret: Uint8Array) {
    const derived = (purpose: string): Buffer =>
      Buffer.from(hkdfSync('sha256', secret, '', `cinque backup ${purpose}`, 32))
    this.#encryption = derived('encryption')
    this.#naming = derived('names')
    this.check = derived('check').toString('hex')
  }

  /** Name of a content: the same bytes have the same one. */
  nameOf(bytes: Uint8Array): string {
    return createHmac('sha256', this.#naming).update(bytes).digest('hex')
  }

  /** `press`: try to make it smaller; data that are compressed already only cost time. */
  async seal(name: string, plain: Uint8Array, press: boolean): Promise<Buffer> {
    const pressed = press ? await compress(plain) : plain
    const smaller = pressed.length < plain.length
    const head = Buffer.concat([magic, Buffer.from([smaller ? compressed : 0]), randomBytes(ivBytes)])
    const cipher = createCipheriv('aes-256-gcm', this.#encryption, head.subarray(ivAt))
    cipher.setAAD(Buffer.concat([head.subarray(0, ivAt), Buffer.from(name)]))
    const body = cipher.update(smaller ? pressed : plain)
    return Buffer.concat([head, body, cipher.final(), cipher.getAuthTag()])
  }

  /** @throws BackupError `corrupt` for what is not, bit by bit, what was sealed under this name; `version` */
  async open(name: string, sealed: Buffer): Promise<Buffer> {
    const bad = (how: string): BackupError => new BackupError('corrupt', `${name} ${how}`)
    if (sealed.length < textAt + tagBytes) throw bad('is cut off')
    if (!sealed.subarray(0, flagsAt).equals(magic)) {
      if (sealed.subarray(0, 3).equals(magic.subarray(0, 3)))
        throw new BackupError('version', `${name} is of a newer version: upgrade the program`)
      throw bad('is not an object of a backup')
    }
    const decipher = createDecipheriv('aes-256-gcm', this.#encryption, sealed.subarray(ivAt, textAt))
    decipher.setAAD(Buffer.concat([sealed.subarray(0, ivAt), Buffer.from(name)]))
    decipher.setAuthTag(sealed.subarray(-tagBytes))
    try {
      const plain = Buffer.concat([decipher.update(sealed.subarray(textAt, -tagBytes)), decipher.final()])
      return (sealed[flagsAt] & compressed) === 0 ? plain : await decompress(plain)
    } catch {
      throw bad('is damaged: it was cut off or altered')
    }
  }
}

/** @throws BackupError `key`: the file cannot be read, or has no key in it */
export function readKeyFile(file: string): Seal {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BackupError('key', `cannot read the key of the backups: ${reason}`, { cause: error })
  }
  if (!new RegExp(`^[0-9a-f]{${secretBytes * 2}}$`).test(text)) {
    throw new BackupError(
      'key',
      `${file} has no key of backups: it is one line of ${secretBytes * 2} digits of 0-9 and a-f, as \`cinque backup init\` makes it`,
    )
  }
  return new Seal(Buffer.from(text, 'hex'))
}
