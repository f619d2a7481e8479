import type { Session } from '../session.ts'

/** One subscription of one session (MQTT 5, 3.8.3). */
export class Subscription {
  readonly session: Session
  /** As the client wrote it, `$share/...` included. */
  readonly filter: string
  /** Without `$share/{group}/`, and with `me` replaced by the device: what topics are matched against. */
  readonly match: string
  readonly group: string | null
  qos: 0 | 1 | 2
  noLocal: boolean
  retainAsPublished: boolean
  /** 0: none. */
  identifier: number

  constructor(
    session: Session,
    filter: string,
    match: string,
    group: string | null,
    options: { qos: 0 | 1 | 2; noLocal: boolean; retainAsPublished: boolean },
    identifier: number,
  ) {
    this.session = session
    this.filter = filter
    this.match = match
    this.group = group
    this.qos = options.qos
    this.noLocal = options.noLocal
    this.retainAsPublished = options.retainAsPublished
    this.identifier = identifier
  }

  /** Whether the client names its device `me` in this filter, so that topics are told to it that way. */
  get mapped(): boolean {
    return this.group === null ? this.filter !== this.match : !this.filter.endsWith(`/${this.match}`)
  }
}

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

  /** The member whose turn it is: a connected one with room first, then a connected one, then one whose session is kept. */
  pick(): Subscription | null {
    const n = this.members.length
    let connected: Subscription | null = null
    let kept: Subscription | null = null
    for (let i = 0; i < n; i++) {
      const at = (this.#next + i) % n
      const member = this.members[at]
      if (member.session.connection === null) {
        if (member.session.durable) kept ??= member
      } else if (member.session.outbox.full) connected ??= member
      else {
        this.#next = at + 1
        return member
      }
    }
    if (n > 0) this.#next = (this.#next + 1) % n
    return connected ?? kept
  }
}
