import { expect } from 'chai'
import { Random } from '../fuzz/random.ts'
import { temporaryFolder } from '../scripts/child.ts'
import { BrokerProcess, freePort } from './broker-process.ts'
import { Publisher } from './publisher.ts'
import { lifetime, seed } from './seed.ts'
import { within } from '../patience.ts'

const KILLS = 8
const FIRST = Date.UTC(2026, 0, 1)

interface Dev {
  url: string
  token: string
  device: { id: string; name: string; key: string }
}

interface Page {
  items: { ts: number; key: string; value: unknown }[]
  next: string | null
}

describe(`kill -9 of the whole platform (seed ${seed})`, function () {
  this.timeout(120_000)

  it('loses no measurement that was acknowledged: history and latest value have it', async () => {
    const random = new Random(seed)
    const folder = temporaryFolder()
    const [mqttPort, httpPort] = [await freePort(), await freePort()]
    const platform = new BrokerProcess([
      'dev',
      '--json',
      '--data',
      folder.path,
      '--mqtt-port',
      String(mqttPort),
      '--http-port',
      String(httpPort),
    ])
    let publisher: Publisher | null = null
    try {
      await platform.start()
      const { url, token, device }: Dev = JSON.parse(platform.said)
      publisher = new Publisher({
        port: mqttPort,
        clientId: 'thermometer',
        username: device.name,
        password: device.key,
        topic: 'v1/devices/me/telemetry',
        qos: [1],
        payload: (n) => JSON.stringify({ ts: FIRST + n, values: { n } }),
      })
      publisher.join()
      for (let i = 0; i < KILLS; i++) {
        await lifetime(50 + random.below(400))
        await platform.kill()
        await platform.start()
      }
      const { state } = publisher
      await within(publisher.finish(), () => state)
      const kept = new Set<unknown>()
      const call = async <T>(path: string): Promise<T> => {
        const response = await fetch(`${url}/v1/devices/${device.name}/${path}`, {
          headers: { authorization: `Bearer ${token}` },
        })
        expect(response.status, path).to.equal(200)
        return (await response.json()) as T
      }
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: Page = await call(
          `telemetry?limit=1000&order=asc${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
        )
        for (const { ts, value } of page.items) if (ts === FIRST + Number(value)) kept.add(value)
        cursor = page.next
      }
      const acknowledged = [...publisher.acknowledged[1]]
      expect(acknowledged.length).to.be.greaterThan(100)
      expect(acknowledged.filter((n) => !kept.has(n))).to.deep.equal([])
      const latest: { items: { value: unknown }[] } = await call('latest')
      expect(latest.items.map(({ value }) => value)).to.deep.equal([publisher.sent[1]])
      expect(publisher.violations).to.deep.equal([])
      console.log(`      ${KILLS} kills: ${acknowledged.length} acknowledged`)
    } finally {
      publisher?.vanish()
      await platform.kill()
      folder.remove()
    }
  })
})
