import { expect } from 'chai'
import mqtt from 'mqtt'
import { type Child, cinque, temporaryFolder } from './child.ts'

interface Ready {
  url: string
  mqtt: string
  token: string
  device: { name: string; key: string }
}

interface Shown {
  connected: boolean
  reason: string | null
  since: string
}

describe('presence over the end of the one process there is', () => {
  let folder: ReturnType<typeof temporaryFolder>
  const children: Child[] = []
  beforeEach(() => {
    folder = temporaryFolder()
  })
  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => child.end('SIGKILL')))
    folder.remove()
  })

  async function start(): Promise<{ child: Child; at: Ready }> {
    const child = cinque(['dev', '--mqtt-port', '0', '--http-port', '0', '--json'], { cwd: folder.path })
    children.push(child)
    const [line] = await child.said(/^\{.*\n/)
    return { child, at: JSON.parse(line) as Ready }
  }

  async function get<T>(at: Ready, path: string): Promise<T> {
    const response = await fetch(`${at.url}${path}`, { headers: { authorization: `Bearer ${at.token}` } })
    expect(response.status, path).to.equal(200)
    return (await response.json()) as T
  }

  const presence = (at: Ready): Promise<Shown> => get(at, '/v1/devices/thermo-1/presence')

  async function connectedAt(at: Ready): Promise<Shown> {
    const { name: username, key: password } = at.device
    const client = await mqtt.connectAsync(at.mqtt, { username, password, reconnectPeriod: 0 }, false)
    client.on('error', () => undefined)
    for (;;) {
      const shown = await presence(at)
      if (shown.connected) return shown
    }
  }

  for (const [signal, reason] of [
    ['SIGKILL', 'server_lost'],
    ['SIGTERM', 'server_shutdown'],
  ] as const) {
    it(`after ${signal} and a restart nobody is shown connected who is not, and the reason is "${reason}"`, async () => {
      const first = await start()
      const on = await connectedAt(first.at)
      // On disk.
      let items: Shown[] = []
      while (items.length === 0)
        ({ items } = await get<{ items: Shown[] }>(first.at, '/v1/devices/thermo-1/presence/history'))
      await first.child.end(signal)
      const { at } = await start()
      const off = await presence(at)
      expect(off).to.include({ connected: false, reason })
      expect(Date.parse(off.since)).to.be.within(Date.parse(on.since), Date.now())
      items = []
      while (items.length < 2)
        ({ items } = await get<{ items: Shown[] }>(at, '/v1/devices/thermo-1/presence/history'))
      expect(items.map((one) => [one.connected, one.reason])).to.deep.equal([
        [false, reason],
        [true, null],
      ])
      const list = await get<{ items: unknown[] }>(at, '/v1/devices?online=true')
      expect(list.items).to.deep.equal([])
      expect((await connectedAt(at)).connected).to.equal(true)
    })
  }
})
