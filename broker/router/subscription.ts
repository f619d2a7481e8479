import type { Receiver } from '../receiver.ts'

/** What SUBSCRIBE says beside the filter (MQTT 5, 3.8.3.1). */
export interface SubscriptionOptions {
  readonly qos: 0 | 1 | 2
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
}

/** Bits of the options byte. */
const QOS = 3
const NO_LOCAL = 4
const RETAIN_AS_PUBLISHED = 8
/** The identifier, up to 268,435,455, is above them: each process has one of these for each persistent session. */
const IDENTIFIER_SHIFT = 4

/** One subscription of one session (MQTT 5, 3.8.3). */
export class Subscription {
  /** Whose it is; another object when the session moves from one process to another. */
  session: Receiver
  /** As the client wrote it, `$share/...` included. */
  readonly filter: string
  /** Without `$share/{group}/`, and with `me` replaced by the device: what topics are matched against. */
  readonly match: string
  readonly group: string | null
  /** Stamp of its row; the newest wins. */
  stamp = 0
  #packed = 0

  constructor(
    session: Receiver,
    filter: string,
    match: string,
    group: string | null,
    options: SubscriptionOptions,
    identifier: number,
  ) {
    this.session = session
    this.filter = filter
    this.match = match
    this.group = group
    this.ask(options, identifier)
  }

  get qos(): 0 | 1 | 2 {
    return (this.#packed & QOS) as 0 | 1 | 2
  }

  get noLocal(): boolean {
    return (this.#packed & NO_LOCAL) !== 0
  }

  get retainAsPublished(): boolean {
    return (this.#packed & RETAIN_AS_PUBLISHED) !== 0
  }

  /** 0: none. */
  get identifier(): number {
    return this.#packed >>> IDENTIFIER_SHIFT
  }

  /** The options byte, as stored. */
  get options(): number {
    return this.#packed & (QOS | NO_LOCAL | RETAIN_AS_PUBLISHED)
  }

  /** Takes the options of a newer SUBSCRIBE with the same filter. */
  ask({ qos, noLocal, retainAsPublished }: SubscriptionOptions, identifier: number): void {
    const options = qos | (noLocal ? NO_LOCAL : 0) | (retainAsPublished ? RETAIN_AS_PUBLISHED : 0)
    this.#packed = (identifier << IDENTIFIER_SHIFT) | options
  }

  /** Whether the client names its device `me` in this filter, so that topics are told to it that way. */
  get mapped(): boolean {
    return this.group === null ? this.filter !== this.match : !this.filter.endsWith(`/${this.match}`)
  }
}

/** What a stored options byte says. */
export function optionsOf(byte: number): SubscriptionOptions {
  return {
    qos: (byte & QOS) as 0 | 1 | 2,
    noLocal: (byte & NO_LOCAL) !== 0,
    retainAsPublished: (byte & RETAIN_AS_PUBLISHED) !== 0,
  }
}
