import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { PlatformError } from '../errors.ts'

const derive = promisify(argon2)

/** OWASP's second choice: 19 MiB (in KiB), two passes, one lane; some 30 ms of a core. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 } as const
const hashBytes = 32
/** Hashes at a time: each takes a thread of libuv's four, which files and names need as well, and 19 MiB. */
const maxRunning = 2
/** Who comes when this many wait is sent away: the last of them would wait a second or two. */
const maxWaiting = 64

const passwordLimits = { min: 10, max: 256 } as const

/** PlatformError `invalid_field` unless it may be a password. */
export function checkPassword(password: string, email: string): void {
  const { length } = password
  if (length < passwordLimits.min || length > passwordLimits.max) {
    throw new PlatformError(
      'invalid_field',
      `must have ${passwordLimits.min} to ${passwordLimits.max} characters`,
      'password',
    )
  }
  if (password.toLowerCase() === email || new Set(password).size < 4)
    throw new PlatformError('invalid_field', 'is too easy to guess; take another one', 'password')
}

/** Argon2id, off the event loop, few at a time. Both reject with PlatformError `overloaded` when too many wait. */
export class Passwords {
  #running = 0
  readonly #waiting: (() => void)[] = []
  /** What a password is compared with when there is no such user. */
  readonly #nobody = format(randomBytes(16), randomBytes(hashBytes))

  /** In PHC format: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(16)
    return format(salt, await this.#derive(password, salt, cost))
  }

  /** `stored` undefined: false, after the same time. */
  async verify(password: string, stored: string | undefined): Promise<boolean> {
    const parts = phc.exec(stored ?? this.#nobody)
    if (parts === null) throw new TypeError('a stored password is not in the format of Argon2id')
    const [, memory, passes, parallelism, salt, wanted] = parts
    const parameters = {
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
    }
    const found = await this.#derive(password, Buffer.from(salt, 'base64'), parameters)
    return timingSafeEqual(found, Buffer.from(wanted, 'base64')) && stored !== undefined
  }

  async #derive(
    password: string,
    nonce: Uint8Array,
    parameters: { memory: number; passes: number; parallelism: number },
  ): Promise<Buffer> {
    await this.#turn()
    try {
      // The same text may come as different bytes from another keyboard.
      const message = Buffer.from(password.normalize('NFKC'))
      return await derive('argon2id', { ...parameters, message, nonce, tagLength: hashBytes })
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < maxRunning) {
      this.#running++
      return
    }
    if (this.#waiting.length >= maxWaiting)
      throw new PlatformError('overloaded', 'too many are signing in at the moment; try again')
    await new Promise<void>((turn) => this.#waiting.push(turn))
  }
}

const phc = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

function format(salt: Buffer, hash: Buffer): string {
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${text(salt)}$${text(hash)}`
}
