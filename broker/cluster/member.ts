import type { Peer } from '#platform/cluster/peer.ts'
import type { Source } from '../output.ts'
import type { Space } from '../space.ts'
import { PeerReceiver } from './peer-receiver.ts'

/** What this process keeps of another one. */
export class Member {
  readonly peer: Peer
  /** It is in the same DC. */
  readonly near: boolean
  /** How often its stream has begun; answers to questions asked before do not count any more. */
  opens = 0
  /** It has sent all of its tables since the stream began. */
  synced = false
  /** When its tables were last compared with those here, milliseconds of the monotonic clock. */
  askedAt = Number.NEGATIVE_INFINITY
  readonly #receivers = new Map<Space, PeerReceiver>()
  readonly #held = new Set<Source>()

  constructor(peer: Peer, near: boolean) {
    this.peer = peer
    this.near = near
  }

  get id(): string {
    return this.peer.info.incarnation
  }

  receiver(space: Space): PeerReceiver {
    let receiver = this.#receivers.get(space)
    if (receiver === undefined) this.#receivers.set(space, (receiver = new PeerReceiver(space, this)))
    return receiver
  }

  receivers(): Iterable<PeerReceiver> {
    return this.#receivers.values()
  }

  /** This source waits until the process has taken more. */
  hold(source: Source): void {
    if (this.#held.has(source)) return
    this.#held.add(source)
    source.holdSource()
  }

  /** Resolves when the process has taken what was sent, down to a part of it; at once while it does. */
  room(): Promise<void> {
    if (!this.peer.pressed) return Promise.resolve()
    return new Promise((resolve) => this.hold({ holdSource: () => undefined, releaseSource: resolve }))
  }

  /** It has taken more, or is out of contact: nobody waits for it. */
  release(): void {
    const held = Array.from(this.#held)
    this.#held.clear()
    for (const source of held) source.releaseSource()
  }
}
