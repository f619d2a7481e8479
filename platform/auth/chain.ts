import type { ConfigAuthenticator } from './config-authenticator.ts'
import type { DeviceAuthenticator } from './device-authenticator.ts'
import type { Authenticator, Credentials, Denial, Principal, ScramVerifier } from './principal.ts'

/**
 * Configured users first, by their names; then whoever brings a key or a certificate must be a device; the rest is
 * anonymous. So a wrong key is never taken for an anonymous client.
 */
export class AuthenticatorChain implements Authenticator {
  readonly #configured: ConfigAuthenticator
  readonly #devices: DeviceAuthenticator

  constructor(configured: ConfigAuthenticator, devices: DeviceAuthenticator) {
    this.#configured = configured
    this.#devices = devices
  }

  authenticate(credentials: Credentials): Principal | Denial | Promise<Principal | Denial> {
    const { username, password, certificate } = credentials
    if (username !== undefined && this.#configured.knows(username))
      return this.#configured.authenticate(credentials)
    if (password !== undefined || certificate !== undefined) return this.#devices.authenticate(credentials)
    return this.#configured.authenticate(credentials)
  }

  scram(username: string): Promise<ScramVerifier | undefined> {
    return this.#configured.scram(username)
  }

  scramPrincipal(username: string, clientId: string): Promise<Principal | Denial> {
    return this.#configured.scramPrincipal(username, clientId)
  }
}
