import { timingSafeEqual } from 'node:crypto'
import { AclRules, type AclRule } from './acl.ts'
import { keyHash } from './keys.ts'
import type { Authenticator, Credentials, Denial, Principal, ScramVerifier } from './principal.ts'
import { scramVerifier } from './scram.ts'

/** A user of the broker itself. A user with neither password can't connect. */
interface ConfiguredUser {
  readonly username: string
  readonly password?: string | undefined
  /** Lower-case hex of the password's SHA-256. */
  readonly password_sha256?: string | undefined
  readonly acl?: readonly AclRule[] | undefined
}

export interface ConfigAuthenticatorOptions {
  /** The organisation that these clients belong to. */
  readonly organisation: string
  readonly anonymous: boolean
  readonly users: readonly ConfiguredUser[]
  /** For anonymous clients and for users without their own. */
  readonly acl: readonly AclRule[]
}

interface KnownUser {
  readonly username: string
  readonly passwordHash: Buffer | null
  readonly password: string | null
  readonly rules: AclRules
  scram: Promise<ScramVerifier> | null
}

/** Users and anonymous access as the configuration says. Answers at once. */
export class ConfigAuthenticator implements Authenticator {
  readonly #organisation: string
  readonly #anonymous: boolean
  readonly #rules: AclRules
  readonly #users = new Map<string, KnownUser>()

  /** RangeError that names the key if a filter is no topic filter or a user name comes twice. */
  constructor(options: ConfigAuthenticatorOptions) {
    this.#organisation = options.organisation
    this.#anonymous = options.anonymous
    this.#rules = new AclRules(options.acl)
    for (const user of options.users) {
      if (this.#users.has(user.username))
        throw new RangeError(`auth.users: "${user.username}" is there twice`)
      this.#users.set(user.username, {
        username: user.username,
        passwordHash: hashOf(user),
        password: user.password ?? null,
        rules: user.acl === undefined ? this.#rules : new AclRules(user.acl),
        scram: null,
      })
    }
  }

  /** Whether the configuration has a user of this name. */
  knows(username: string): boolean {
    return this.#users.has(username)
  }

  authenticate(credentials: Credentials): Principal | Denial {
    const { username, password, clientId } = credentials
    const user = username === undefined ? undefined : this.#users.get(username)
    if (user === undefined) return this.#stranger(credentials)
    if (user.passwordHash === null)
      return denied(`user "${user.username}" has no password in the configuration`)
    if (password === undefined) return denied(`user "${user.username}" brought no password`)
    if (!timingSafeEqual(keyHash(password), user.passwordHash)) {
      return denied(`wrong password of user "${user.username}"`)
    }
    return this.#principal(user, clientId)
  }

  /** Only a user whose password is known in the clear can use SCRAM: its verifier can't be had from a SHA-256. */
  async scram(username: string): Promise<ScramVerifier | undefined> {
    const user = this.#users.get(username)
    if (user === undefined || user.password === null) return undefined
    user.scram ??= scramVerifier(user.password)
    return user.scram
  }

  scramPrincipal(username: string, clientId: string): Promise<Principal | Denial> {
    const user = this.#users.get(username)
    return Promise.resolve(
      user === undefined ? denied(`no user "${username}"`) : this.#principal(user, clientId),
    )
  }

  /** Without any configured user nobody's name is checked, and all are equally anonymous. */
  #stranger({ username, clientId }: Credentials): Principal | Denial {
    if (this.#anonymous && (username === undefined || username === '' || this.#users.size === 0)) {
      const acl = this.#rules.for({ username: '', clientId })
      return { org: this.#organisation, username: '', device: null, acl, quota: {} }
    }
    if (username === undefined) return denied('anonymous clients are not allowed (auth.anonymous)')
    return denied(`no user "${username}"`)
  }

  #principal(user: KnownUser, clientId: string): Principal {
    const { username } = user
    const acl = user.rules.for({ username, clientId })
    return { org: this.#organisation, username, device: null, acl, quota: {} }
  }
}

function hashOf(user: ConfiguredUser): Buffer | null {
  if (user.password !== undefined) return keyHash(user.password)
  return user.password_sha256 === undefined ? null : Buffer.from(user.password_sha256, 'hex')
}

function denied(explanation: string): Denial {
  return { denied: 'bad_credentials', explanation }
}
