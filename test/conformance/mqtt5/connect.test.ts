import { expect } from 'chai'
import { suite } from '../harness/suite.ts'

suite('5.0', '3.1 CONNECT', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.1.4-5'], 'a valid CONNECT is accepted', async () => {
    const [, connack] = await broker.connack()
    expect(connack.reasonCode).to.equal(0)
  })

  conforms(['MQTT-3.1.0-2'], 'a second CONNECT ends the connection', async () => {
    const client = await broker.connect()
    client.sendConnect()
    await client.expectRefused([0x82])
  })
})
