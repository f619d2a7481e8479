import { array, assert, asyncProperty } from 'fast-check'
import { anyCommand, Run } from '../harness/model.ts'
import { suite } from '../harness/suite.ts'

const SHOWN = {
  '3.1.1': [
    'MQTT-4.5.0-1',
    'MQTT-3.3.2-3',
    'MQTT-3.1.2-4',
    'MQTT-3.1.2-5',
    'MQTT-3.3.1-6',
    'MQTT-3.8.4-6',
    'MQTT-4.4.0-1',
  ],
  '5.0': [
    'MQTT-4.5.0-1',
    'MQTT-3.3.2-3',
    'MQTT-3.1.2-5',
    'MQTT-3.1.2-23',
    'MQTT-3.3.1-5',
    'MQTT-3.8.4-8',
    'MQTT-4.4.0-1',
  ],
} as const

for (const version of ['3.1.1', '5.0'] as const) {
  suite(version, 'random sequences', {}, ({ broker, conforms }) => {
    conforms(
      SHOWN[version],
      'whatever clients do in turn, each gets what its session promises, once and in order',
      async () => {
        await assert(
          asyncProperty(array(anyCommand, { minLength: 10, maxLength: 40 }), async (commands) => {
            const run = new Run(broker, await broker.connect())
            for (const one of commands) await run.step(one)
            await run.end()
          }),
          { numRuns: 60, seed: 311 },
        )
      },
    )
  })
}
