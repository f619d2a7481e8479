import { isConnected, nearer } from '../cluster/peer-receiver.ts'
import type { Subscription } from './subscription.ts'

/** All subscriptions of one organisation with the same share name and filter (4.8.2): a message goes to one of them. */
export class SharedGroup {
  readonly name: string
  readonly match: string
  readonly members: Subscription[] = []
  #next = 0

  constructor(name: string, match: string) {
    this.name = name
    this.match = match
  }

  /**
   * The member whose turn it is: a connected one with room first, then a connected one, then one connected elsewhere, then
   * one whose session is kept. `promised`: of QoS 1 or 2.
   */
  pick(promised = true): Subscription | null {
    const n = this.members.length
    let connected: Subscription | null = null
    let elsewhere: Subscription | null = null
    let peer: Subscription | null = null
    let kept: Subscription | null = null
    for (let i = 0; i < n; i++) {
      const at = (this.#next + i) % n
      const member = this.members[at]
      const { session } = member
      if (session.kind === 'peer') peer = nearer(peer, member)
      else if (session.kind === 'away') {
        if (isConnected(session)) elsewhere = nearer(elsewhere, member)
        else kept ??= member
      } else if (session.connection === null) {
        if (session.durable) kept ??= member
      } else if (member.session.outbox.full) connected ??= member
      else {
        this.#next = at + 1
        return member
      }
    }
    if (n > 0) this.#next = (this.#next + 1) % n
    // What is promised is a row of a session; what is not goes to any process that has a member.
    return connected ?? (promised ? (elsewhere ?? peer) : (peer ?? elsewhere)) ?? kept
  }
}
