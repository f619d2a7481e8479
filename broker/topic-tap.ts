import type { Tap } from '#platform/live/topic-feeds.ts'
import type { Broker } from './broker.ts'
import type { Connection } from './connection.ts'
import type { Outgoing } from './message.ts'
import type { Receiver } from './receiver.ts'
import { Subscription } from './router/subscription.ts'
import type { Space } from './space.ts'

const NO_SID = new Uint8Array(0)

/**
 * Somebody who watches a topic filter: to the router a client that never is slow, gets everything at QoS 0 and
 * acknowledges nothing. Other processes send here what it wants as for any client.
 */
class TopicTap implements Receiver {
  readonly kind = 'here'
  readonly space: Space
  readonly clientId = ''
  readonly sid = NO_SID
  readonly deviceId = null
  readonly durable = false
  readonly connection: Connection
  readonly outbox = { full: false, pressing: false, deliver: (): void => undefined }

  constructor(space: Space, take: (out: Outgoing) => void) {
    this.space = space
    const connection = {
      broker: space.broker,
      session: null,
      version: 0,
      // Never the short way, on which nobody looks at single messages.
      simple: false,
      traced: false,
      choked: false,
      sendPublish: (out: Outgoing): boolean => {
        take(out)
        return true
      },
      holdFor: (): void => undefined,
      holdWhilePressing: (): void => undefined,
    }
    this.connection = connection as unknown as Connection
  }
}

/** Lets others watch the messages of this broker, and of those that it is in a cell with. */
export function topicTaps(broker: Broker): Tap {
  return (org, filter, take) => {
    const space = broker.space(org)
    const tap = new TopicTap(space, ({ message: { topic, payload, qos, retain } }) =>
      take({ topic, payload, qos, retain }),
    )
    const options = { qos: 0, noLocal: false, retainAsPublished: true } as const
    const subscription = new Subscription(tap, filter, filter, null, options, 0)
    space.router.add(subscription)
    return () => space.router.remove(subscription)
  }
}
