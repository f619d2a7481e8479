import type { DeviceMessage, Publish } from '#platform/messages.ts'
import type { Broker } from './broker.ts'
import { Message, type Outgoing } from './message.ts'
import type { Properties } from './packets/properties.ts'
import type { Receiver } from './receiver.ts'

type Holder = Pick<Receiver, 'space' | 'deviceId'>

const COMMANDS = 'v1/devices/me/rpc/request/'
const TWINS = 'v1/devices/me/twin/'

/**
 * By what the platform knows a message that it follows, on its way to the device that it is for; null: it is not one. What
 * has no response topic, and so nearly every message, is known at once.
 */
export function followedBy(session: Holder, out: Outgoing): string | null {
  const { responseTopic, correlationData } = out.message.properties
  if (responseTopic === undefined || correlationData === undefined || session.deviceId === null) return null
  const topic = out.topic ?? out.message.topic
  return topic.startsWith(COMMANDS) || topic.startsWith(TWINS) ? correlationData.toString('latin1') : null
}

/** It was written to the device's connection. */
export function tellSent({ space, deviceId }: Holder, followed: string): void {
  space.broker.follower?.sent(space.org, deviceId ?? '', followed)
}

/** The same at QoS 0: it will not be acknowledged. */
export function tellSentUnacknowledged(session: Holder, out: Outgoing): void {
  const followed = followedBy(session, out)
  if (followed !== null) tellSent(session, followed)
}

/** The device has answered it with PUBACK. */
export function tellAcknowledged({ space, deviceId }: Holder, followed: string, refused: boolean): void {
  space.broker.follower?.acknowledged(space.org, deviceId ?? '', followed, refused)
}

/** The platform's way to publish: at QoS 1, resolves when it is promised. */
export function publisherOf(broker: Broker): Publish {
  return ({ org, topic, payload, expiresAt = 0, responseTopic, correlation }: DeviceMessage) => {
    const properties: Properties = {
      ...(responseTopic === undefined ? {} : { responseTopic }),
      ...(correlation === undefined ? {} : { correlationData: Buffer.from(correlation, 'latin1') }),
    }
    broker.publish(
      broker.space(org),
      new Message(topic, Buffer.from(payload), 1, false, properties, expiresAt),
    )
    return broker.space(org).commit.durable()
  }
}
