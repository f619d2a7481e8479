import type { DeviceRef } from '../auth/principal.ts'
import type { GroupCommit } from '../store/group-commit.ts'
import { credentialUse } from './tables.ts'

const againMs = 3_600_000
const maxRemembered = 100_000

/** Notes when credentials are used, each once an hour. Staged into the group commit; nobody waits for it. */
export class CredentialUses {
  readonly #commit: GroupCommit
  readonly #noted = new Map<string, number>()

  constructor(commit: GroupCommit) {
    this.#commit = commit
  }

  note({ org, id }: DeviceRef, credential: string, at: number): void {
    const key = `${org}/${id}/${credential}`
    if (at - (this.#noted.get(key) ?? 0) < againMs) return
    if (this.#noted.size >= maxRemembered) this.#noted.clear()
    this.#noted.set(key, at)
    this.#commit.stage().put(credentialUse, { org, device: id, id: credential, at })
  }
}
