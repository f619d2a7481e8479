import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { Message } from '#broker/message.ts'
import { createLogger } from '#platform/log.ts'
import { type OutgoingMessage } from '#api/deps.ts'
import { rawRequest, startTestApi, type TestApi } from './fixture.ts'
import { eventually } from '../patience.ts'

const user = 'UserUserUserUserUserU1'
const device = 'DeviDeviDeviDeviDeviD1'
const key = 'KeyKeyKeyKeyKeyKeyKey1'

function field(text: string): Buffer {
  return Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)])
}
function packet(first: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  expect(body.length, 'the library sends no longer packets').to.be.below(127)
  return Buffer.concat([Buffer.from([first, body.length]), body])
}

/** Bytes that the library sends (1.3.1): clean session, keep alive 15 s, user name and password. */
const connectPacket = (password: string): Buffer =>
  packet(0x10, field('MQTT'), Buffer.from([4, 0xc2, 0, 15]), field(device), field(user), field(password))
const subscribePacket = packet(0x82, Buffer.from([0, 2]), field(`sub/${user}/${device}/#`), Buffer.from([1]))
const publishPacket = (node: string, name: string, value: string): Buffer =>
  packet(0x30, field(`pub/${user}/${device}/${node}/${name}`), Buffer.from(value))

/** A device's end of a connection; packets of less than 128 bytes. */
class Library {
  readonly socket: Socket
  #bytes = Buffer.alloc(0)
  #wake: (() => void) | null = null

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('error', () => 0)
    this.socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake?.()
    })
    this.socket.on('close', () => this.#wake?.())
  }

  async next(): Promise<Buffer> {
    while (this.#bytes.length < 2 || this.#bytes.length < 2 + this.#bytes[1]) {
      if (this.socket.closed) throw new Error('closed')
      await new Promise<void>((wake) => (this.#wake = wake))
    }
    const one = this.#bytes.subarray(0, 2 + this.#bytes[1])
    this.#bytes = this.#bytes.subarray(one.length)
    return one
  }
}

describe('the first path: from a device over MQTT to history, and back', () => {
  let api: TestApi
  let broker: Broker
  let port: number

  before(async () => {
    api = await startTestApi({ publish: (message) => publish(message) })
    const { platform } = api
    const config = brokerConfig.parse({ listen: ['tcp://127.0.0.1:0'], organisation: platform.organisation })
    broker = new Broker({ ...platform, config, log: createLogger({ level: 'silent' }) })
    platform.registry.onRevoked(({ org, id }) => broker.kickDevice(org, id))
    const [url] = await broker.start()
    port = Number(new URL(url).port)
    await api.ask('POST', '/v1/organisations', { body: { id: 'guru', iotguru_user: user } })
    await api.ask('POST', '/v1/devices?organisation=guru', { body: { name: 'esp', id: device, key } })
  })
  after(async () => {
    await broker.drain()
    await api.close()
  })

  async function publish({ org, topic, payload }: OutgoingMessage): Promise<void> {
    broker.publish(broker.space(org), new Message(topic, Buffer.from(payload), 1, false))
    await api.platform.lanes.durable()
  }
  async function login(password = key): Promise<Library> {
    const library = new Library(port)
    library.socket.write(connectPacket(password))
    expect([...(await library.next())]).to.deep.equal([0x20, 2, 0, 0])
    return library
  }
  async function values(count: number): Promise<{ key: string; value: unknown }[]> {
    let items: { key: string; value: unknown }[] = []
    await eventually(
      () => `${count} values, there are ${items.length}`,
      async () => {
        const { body } = await api.ask('GET', '/v1/devices/esp/telemetry?organisation=guru&order=asc')
        items = body.items
        return items.length >= count
      },
    )
    return items
  }

  it('the IoT Guru library logs in, subscribes, publishes and is sent to, unchanged', async () => {
    const library = await login()
    library.socket.write(subscribePacket)
    expect([...(await library.next())]).to.deep.equal([0x90, 3, 0, 2, 1])
    library.socket.write(publishPacket('NodeNodeNodeNodeNodeN1', 'temperature', '21.50'))
    library.socket.write(publishPacket('NodeNodeNodeNodeNodeN1', 'temperature', 'nan'))
    library.socket.write(publishPacket('NodeNodeNodeNodeNodeN1', 'humidity', '-10000000000.00'))
    const stored = await values(2)
    expect(stored.map((one) => [one.key, one.value])).to.have.deep.members([
      ['NodeNodeNodeNodeNodeN1/temperature', 21.5],
      ['NodeNodeNodeNodeNodeN1/humidity', -1e10],
    ])

    const node = { id: 'NodeNodeNodeNodeNodeN1' }
    const created = await api.ask('POST', '/v1/devices/esp/nodes?organisation=guru', { body: node })
    await rawRequest(api.url, `GET /mqtt/send/${created.body.key}/led/on HTTP/1.0\r\nHost: x\r\n\r\n`)
    const received = await library.next()
    const topic = `sub/${user}/${device}/NodeNodeNodeNodeNodeN1/led`
    expect(received[0] & 0xf6, 'QoS 1').to.equal(0x32)
    expect(received.subarray(4, 4 + topic.length).toString()).to.equal(topic)
    expect(received.subarray(6 + topic.length).toString()).to.equal('on')
    library.socket.destroy()
  })

  it('a wrong key is refused', async () => {
    const library = new Library(port)
    library.socket.write(connectPacket('KeyKeyKeyKeyKeyKeyKey2'))
    expect([...(await library.next())]).to.deep.equal([0x20, 2, 0, 4])
  })

  it("what is not the device's own is denied", async () => {
    const library = await login()
    const other = `sub/${user}/another/#`
    library.socket.write(packet(0x82, Buffer.from([0, 3]), field(other), Buffer.from([1])))
    expect([...(await library.next())]).to.deep.equal([0x90, 3, 0, 3, 0x80])
    library.socket.destroy()
  })

  it('a device whose key is replaced or that is deleted is cut off', async () => {
    let library = await login()
    const { body } = await api.ask('POST', '/v1/devices/esp/key?organisation=guru', { body: {} })
    if (!library.socket.closed) await once(library.socket, 'close')
    library = await login(body.key)
    await api.ask('DELETE', '/v1/devices/esp?organisation=guru')
    if (!library.socket.closed) await once(library.socket, 'close')
    const late = new Library(port)
    late.socket.write(connectPacket(body.key))
    expect([...(await late.next())]).to.deep.equal([0x20, 2, 0, 4])
  })
})
