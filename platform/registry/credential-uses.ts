import type { DeviceRef } from '../auth/principal.ts'
import type { Lanes } from '../store/lanes.ts'
import { credentialUse } from './tables.ts'

const againMs = 3_600_000
const maxRemembered = 100_000

/** Notes when credentials are used, each once an hour. Staged into the group commit; nobody waits for it. */
export class CredentialUses {
  readonly #lanes: Lanes
  readonly #noted = new Map<string, number>()

  constructor(lanes: Lanes) {
    this.#lanes = lanes
  }

  note({ org, id }: DeviceRef, credential: string, at: number): void {
    const key = `${org}/${id}/${credential}`
    if (at - (this.#noted.get(key) ?? 0) < againMs) return
    if (this.#noted.size >= maxRemembered) this.#noted.clear()
    this.#noted.set(key, at)
    this.#lanes.of(org).stage().put(credentialUse, { org, device: id, id: credential, at })
  }
}
