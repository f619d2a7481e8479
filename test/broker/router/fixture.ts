import { MemoryOutbox } from '#broker/outbox/memory-outbox.ts'
import { Subscription } from '#broker/router/subscription.ts'
import { Session } from '#broker/session.ts'
import type { Space } from '#broker/space.ts'
import { parseFilter } from '#broker/topics.ts'

/** A session that the router only compares and asks for its device. */
export function session(clientId: string, deviceId: string | null = null): Session {
  return new Session({
    space: {} as Space,
    clientId,
    sid: new Uint8Array(0),
    durable: false,
    outbox: new MemoryOutbox(10, { messages: 10, bytes: 10_000, policy: 'drop_oldest' }),
    epoch: 0,
    expiry: 0,
    username: '',
    deviceId,
  })
}

interface Options {
  qos?: 0 | 1 | 2
  noLocal?: boolean
  retainAsPublished?: boolean
  identifier?: number
}

/** What SUBSCRIBE makes of a filter. */
export function subscription(owner: Session, filter: string, options: Options = {}): Subscription {
  const { match, group } = parseFilter(filter, owner.deviceId)
  const { qos = 0, noLocal = false, retainAsPublished = false, identifier = 0 } = options
  return new Subscription(owner, filter, match, group, { qos, noLocal, retainAsPublished }, identifier)
}
