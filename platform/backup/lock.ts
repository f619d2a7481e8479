import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { performance } from 'node:perf_hooks'
import { BackupError } from './backup-error.ts'
import type { ObjectStore } from './object-store.ts'

/** A lock that was not renewed for so long is nobody's. */
const staleMs = 15 * 60_000
const renewMs = 2 * 60_000
/** Who could not renew for so long stops: well before others take the lock for stale. */
const heldMs = 10 * 60_000
/** Backups are named and thrown away by time. */
const maxSkewMs = 10 * 60_000
const prefix = 'locks/'

export interface LockOptions {
  /** `writer`: puts objects, beside others; `sweeper`: deletes what nobody names, alone. */
  readonly kind: 'writer' | 'sweeper'
  /** For how long others are waited for, in milliseconds. */
  readonly waitMs: number
  readonly retryMs?: number
}

/**
 * Keeps those who add to a repository and those who delete from it apart, with nothing but puts and lists that are
 * consistent (S3 since 2020): each puts its lock, then looks for those of others; of two at a time at least one sees the
 * other's, and yields. Ages are told by the clock of the storage.
 */
export class Lock {
  /** Milliseconds since 1970 when it was taken, by the clock of the storage. */
  readonly since: number
  readonly #store: ObjectStore
  readonly #key: string
  readonly #timer: NodeJS.Timeout
  #renewed = performance.now()
  #renewing: Promise<void> = Promise.resolve()

  private constructor(store: ObjectStore, key: string, since: number) {
    this.#store = store
    this.#key = key
    this.since = since
    this.#timer = setInterval(() => this.#renew(), renewMs).unref()
  }

  /** @throws BackupError `busy` that says who works; `failed` when the clocks differ; ObjectStoreError */
  static async take(store: ObjectStore, { kind, waitMs, retryMs = 2_000 }: LockOptions): Promise<Lock> {
    const deadline = performance.now() + waitMs
    for (;;) {
      const key = `${prefix}${kind}-${processToken()}-${process.pid}-${randomBytes(6).toString('hex')}`
      // oxlint-disable no-await-in-loop -- one try after the other
      await store.put(key, Buffer.from(`${hostname()} ${process.pid}\n`))
      const { mine, others } = await look(store, key).catch(async (error: unknown) => {
        await store.delete(key).catch(() => undefined)
        throw error
      })
      const inTheWay = others.find((one) => kind === 'sweeper' || one.startsWith(`${prefix}sweeper-`))
      const skew = Math.abs(mine - Date.now())
      if (inTheWay === undefined && skew <= maxSkewMs) return new Lock(store, key, mine)
      const holder =
        inTheWay === undefined ? '' : String((await store.get(inTheWay)) ?? 'another process').trim()
      await store.delete(key)
      if (inTheWay === undefined) {
        throw new BackupError(
          'failed',
          `${store.name}: its clock and ours differ by ${Math.round(skew / 60_000)} minutes: set the clock (chronyc tracking) and try again`,
        )
      }
      if (performance.now() > deadline) {
        const work = inTheWay.startsWith(`${prefix}sweeper-`) ? 'prunes' : 'writes a backup'
        throw new BackupError('busy', `${store.name}: ${holder} ${work}: try again later`)
      }
      await new Promise((wake) => setTimeout(wake, retryMs * (0.5 + Math.random())))
      // oxlint-enable no-await-in-loop
    }
  }

  /** To be asked before what must not be done without it. BackupError `busy`: it was lost meanwhile. */
  async held(): Promise<void> {
    await this.#renewing
    const lost = new BackupError(
      'busy',
      `${this.#store.name}: this process stood still for too long: run it again`,
    )
    if (performance.now() - this.#renewed > heldMs) throw lost
    if ((await this.#store.get(this.#key)) === undefined) throw lost
  }

  async release(): Promise<void> {
    clearInterval(this.#timer)
    await this.#renewing
    await this.#store.delete(this.#key)
  }

  #renew(): void {
    const at = performance.now()
    if (at - this.#renewed > heldMs) return
    this.#renewing = this.#store.put(this.#key, Buffer.from(`${hostname()} ${process.pid}\n`)).then(
      () => void (this.#renewed = at),
      () => undefined,
    )
  }
}

/** When our lock was put, and those of others that are held; what the dead have left is removed. */
async function look(store: ObjectStore, key: string): Promise<{ mine: number; others: string[] }> {
  const found = new Map<string, number>()
  for await (const one of store.list(prefix)) found.set(one.key, one.modified)
  const mine = found.get(key)
  if (mine === undefined) throw new BackupError('failed', `${store.name}: does not list what was just put`)
  const others: string[] = []
  for (const [other, modified] of found) {
    if (other === key) continue
    if (mine - modified < staleMs && !isDead(other)) others.push(other)
    // oxlint-disable-next-line no-await-in-loop -- seldom any
    else await store.delete(other)
  }
  return { mine, others }
}

/** Of a process of this very system that is no more. */
function isDead(key: string): boolean {
  const match = /-([0-9a-f]{16})-(\d+)-[0-9a-f]{12}$/.exec(key)
  if (match?.[1] !== processToken()) return false
  try {
    process.kill(Number(match[2]), 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}

/** Within it a process id means a process: this boot of this machine, and this container of it. */
function processToken(): string {
  let system: string
  try {
    system = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    // Not Linux: then every lock lives until it is stale.
    system = randomBytes(16).toString('hex')
  }
  return createHash('sha256').update(`${hostname()} ${system}`).digest('hex').slice(0, 16)
}
