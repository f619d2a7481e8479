import type { Receiver } from '../receiver.ts'

/** One subscription of one session (MQTT 5, 3.8.3). */
export class Subscription {
  /** Whose it is; another object when the session moves from one process to another. */
  session: Receiver
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
  /** Stamp of its row; the newest wins. */
  stamp = 0

  constructor(
    session: Receiver,
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
