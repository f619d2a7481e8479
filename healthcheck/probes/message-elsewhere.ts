import { randomBytes } from 'node:crypto'
import type { MqttTransport } from '../checker/config.ts'
import type { MqttSessions } from './mqtt-sessions.ts'
import type { Probe, Target } from './probe.ts'

/** A message sent in one DC comes to a subscriber in another: whether brokers of both are in contact. */
export function messageElsewhere(
  sessions: MqttSessions,
  checker: string,
  transport: MqttTransport,
  elsewhere: (from: Target) => Target | undefined,
): Probe {
  return {
    name: 'message-elsewhere',
    weight: 'degrade',
    interval: 30,
    timeoutMs: 10_000,
    slowMs: 2000,
    run: async (from, signal) => {
      const to = elsewhere(from)
      if (to === undefined) return { skipped: 'no other DC is well' }
      const topic = `health/${checker}/${from.host.name}/to/${to.host.name}`
      const nonce = randomBytes(8).toString('hex')
      try {
        const [there, here] = await Promise.all([
          sessions.use(to, transport, signal),
          sessions.use(from, transport, signal),
        ])
        await there.subscribe(topic, signal)
        const received = there.receive(topic, nonce, signal)
        received.catch(() => undefined)
        await here.publish(topic, nonce, signal)
        await received
      } catch (error) {
        throw new Error(`received in ${to.dc.name}: ${error instanceof Error ? error.message : ''}`, {
          cause: error,
        })
      }
      return { received_in: to.dc.name }
    },
  }
}
