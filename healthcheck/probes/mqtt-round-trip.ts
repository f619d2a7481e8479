import { randomBytes } from 'node:crypto'
import type { MqttTransport } from '../checker/config.ts'
import type { MqttSessions } from './mqtt-sessions.ts'
import { answered, wholeMs } from './patience.ts'
import type { Probe } from './probe.ts'

/**
 * A message to oneself: connects (anew every 30 s), subscribes, publishes at QoS 1, and gets the same message back.
 * What a device needs of a host, whatever else is wrong.
 */
export function mqttRoundTrip(sessions: MqttSessions, checker: string, transport: MqttTransport): Probe {
  return {
    name: `mqtt-${transport}`,
    weight: 'serve',
    timeoutMs: wholeMs,
    slowMs: 1000,
    run: async (target, signal) => {
      const topic = `health/${checker}/${target.host.name}/${transport}`
      const nonce = randomBytes(8).toString('hex')
      const session = await sessions.use(target, transport, signal)
      const { address } = target.host
      await answered(signal, `${address} does not answer SUBSCRIBE (${transport})`, (limited) =>
        session.subscribe(topic, limited),
      )
      await answered(signal, `${address} does not give a message back (${transport})`, async (limited) => {
        const received = session.receive(topic, nonce, limited)
        received.catch(() => undefined)
        await session.publish(topic, nonce, limited)
        await received
      })
      return undefined
    },
  }
}
