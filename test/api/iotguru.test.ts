import { expect } from 'chai'
import type { OutgoingMessage } from '#api/deps.ts'
import { type Answer, expectProblem, rawRequest, startTestApi, type TestApi } from './fixture.ts'

/** What the library's HTTP client sends on an ESP8266 and on an ESP32, byte for byte but for the key. */
function libraryGet(path: string, agent: 'ESP8266HTTPClient' | 'ESP32HTTPClient'): string {
  return [
    `GET ${path} HTTP/1.0`,
    'Host: api.iotguru.live',
    `User-Agent: ${agent}`,
    'Connection: close',
    '',
    '',
  ].join('\r\n')
}

/** The update request of an ESP8266: HTTP/1.0 with the target in absolute form. */
function updateOnEsp8266(key: string, version: string): string {
  return [
    `GET http://api.iotguru.live/firmware/update/${key}/${version} HTTP/1.0`,
    'Host: api.iotguru.live',
    'User-Agent: ESP8266-http-Update',
    'Connection: close',
    'x-ESP8266-Chip-ID: 1234567',
    'x-ESP8266-STA-MAC: 5C:CF:7F:00:00:01',
    'x-ESP8266-AP-MAC: 5E:CF:7F:00:00:01',
    'x-ESP8266-free-space: 2768896',
    'x-ESP8266-sketch-size: 374336',
    'x-ESP8266-sketch-md5: 0123456789abcdef0123456789abcdef',
    'x-ESP8266-chip-size: 4194304',
    'x-ESP8266-sdk-version: 2.2.2-dev(38a443e)',
    'x-ESP8266-mode: sketch',
    `x-ESP8266-version: ${version}`,
    '',
    '',
  ].join('\r\n')
}

/** The same of an ESP32, written by hand in the library. */
function updateOnEsp32(key: string, version: string): string {
  return [
    `GET /firmware/update/${key}/${version} HTTP/1.1`,
    'Host: api.iotguru.live',
    'Cache-Control: no-cache',
    'Connection: close',
    '',
    '',
  ].join('\r\n')
}

describe('IoT Guru: the Arduino library works unchanged over HTTP', () => {
  /** What devices should run; null: there is nothing new. */
  let firmware: { version: string; bytes: Uint8Array } | null = null
  const sent: OutgoingMessage[] = []
  let api: TestApi
  let key: string
  let nodeKey: string

  before(async () => {
    api = await startTestApi({
      publish: (message) => {
        sent.push(message)
        return Promise.resolve()
      },
      firmware: () => {
        const wanted = firmware
        const found = wanted && { version: wanted.version, image: () => Promise.resolve(wanted.bytes) }
        return Promise.resolve(found ?? undefined)
      },
    })
    await api.ask('POST', '/v1/organisations', {
      body: { id: 'guru', iotguru_user: 'UserUserUserUserUserU1' },
    })
    const device = { name: 'esp', id: 'DeviDeviDeviDeviDeviD1', key: 'KeyKeyKeyKeyKeyKeyKey1' }
    key = (await api.ask('POST', '/v1/devices?organisation=guru', { body: device })).body.key
    const node = { id: 'NodeNodeNodeNodeNodeN1', key: 'NKeyNKeyNKeyNKeyNKeyN1' }
    nodeKey = (await api.ask('POST', '/v1/devices/esp/nodes?organisation=guru', { body: node })).body.key
  })
  after(() => api.close())

  async function status(request: string): Promise<number> {
    const answer = await rawRequest(api.url, request)
    expect(answer).to.match(/^HTTP\/1\.1 \d{3} /)
    expect(answer.toLowerCase()).to.not.include('transfer-encoding: chunked')
    return Number(answer.slice(9, 12))
  }

  for (const agent of ['ESP8266HTTPClient', 'ESP32HTTPClient'] as const) {
    it(`check() of ${agent} gets 200 and is noted as a sign of life`, async () => {
      expect(await status(libraryGet(`/firmware/check/${key}`, agent))).to.equal(200)
      await api.platform.lanes.durable()
      const { body } = await api.ask('GET', '/v1/devices/esp?organisation=guru')
      expect(body.check_in).to.deep.equal({ at: '2026-11-21T12:00:00.000Z', version: null })
    })

    it(`check(version) of ${agent} never gets 200: the device would restart for ever`, async () => {
      for (const version of ['1', '1.0.0', 'v1%20beta', 'undefined', '1.0/192.168.1.7']) {
        expect(await status(libraryGet(`/firmware/check/${key}/${version}`, agent))).to.equal(204)
      }
    })

    it(`sendHttpValue() of ${agent} is in the history when it gets 200`, async () => {
      for (const value of ['21.50', '-10000000000.00', '7']) {
        expect(
          await status(libraryGet(`/measurement/create/${nodeKey}/temperature/${value}`, agent)),
        ).to.equal(200)
      }
      const { body } = await api.ask('GET', '/v1/devices/esp/telemetry?organisation=guru&limit=3&order=desc')
      expect(body.items.map(({ value }: { value: number }) => value)).to.deep.equal([7, -1e10, 21.5])
      expect(body.items[0].key).to.equal('NodeNodeNodeNodeNodeN1/temperature')
    })
  }

  it('notes the version that a check names', async () => {
    await status(libraryGet(`/firmware/check/${key}/1.2.3`, 'ESP32HTTPClient'))
    await api.platform.lanes.durable()
    expect((await api.ask('GET', '/v1/devices/esp?organisation=guru')).body.check_in.version).to.equal(
      '1.2.3',
    )
  })

  it('firmwareUpdate() gets 304, no update, in absolute form and over HTTP/1.1', async () => {
    expect(await status(updateOnEsp8266(key, '1.0.0'))).to.equal(304)
    expect(await status(updateOnEsp32(key, '1.0.0'))).to.equal(304)
  })

  it('takes the absolute form of any request, and no other authority changes the path', async () => {
    expect(
      await status(libraryGet(`http://api.iotguru.live/firmware/check/${key}`, 'ESP8266HTTPClient')),
    ).to.equal(200)
    expect(await status(libraryGet(`http://firmware/check/${key}`, 'ESP8266HTTPClient'))).to.equal(404)
    expect(await status(libraryGet('http://api.iotguru.live', 'ESP8266HTTPClient'))).to.equal(404)
  })

  const wrong: [name: string, path: () => string, status: number][] = [
    ['an unknown device key', () => '/firmware/check/KeyKeyKeyKeyKeyKeyKey2', 404],
    ['a node key as a device key', () => `/firmware/check/${nodeKey}`, 404],
    ['an unknown key with a version', () => '/firmware/check/KeyKeyKeyKeyKeyKeyKey2/1.0', 404],
    ['an unknown key of an update', () => '/firmware/update/KeyKeyKeyKeyKeyKeyKey2/1.0', 404],
    ['a device key as a node key', () => `/measurement/create/${key}/temperature/1.00`, 404],
    ['nan', () => `/measurement/create/${nodeKey}/temperature/nan`, 400],
    ['inf', () => `/measurement/create/${nodeKey}/temperature/inf`, 400],
    ['a field with a comma', () => `/measurement/create/${nodeKey}/a,b/1.00`, 400],
    ['a broken escape', () => `/measurement/create/${nodeKey}/a%zz/1.00`, 400],
    ['no value', () => `/measurement/create/${nodeKey}/temperature/`, 404],
    ['no key', () => '/firmware/check/', 404],
  ]
  for (const [name, path, expected] of wrong) {
    it(`answers ${expected} to ${name}`, async () => {
      expect(await status(libraryGet(path(), 'ESP8266HTTPClient'))).to.equal(expected)
    })
  }

  it('answers an old client that keeps connections alive, and takes integers', async () => {
    const agent = 'Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n'
    const get = (last: boolean): string =>
      `GET /measurement/create/${nodeKey}/humidity/55 HTTP/1.1\r\nHost: x\r\n${agent}Connection: ${last ? 'close' : 'keep-alive'}\r\n\r\n`
    const answer = await rawRequest(api.url, get(false) + get(true))
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).to.have.length(2)
  })

  describe('firmware that is due', () => {
    const bytes = Buffer.concat([Buffer.from([0xe9]), Buffer.alloc(50_000, 7)])
    beforeEach(() => {
      firmware = { version: '2.0', bytes }
    })
    afterEach(() => {
      firmware = null
    })

    it('check(version) gets 200 until the device runs it', async () => {
      expect(await status(libraryGet(`/firmware/check/${key}/1.0`, 'ESP32HTTPClient'))).to.equal(200)
      expect(await status(libraryGet(`/firmware/check/${key}/2.0`, 'ESP32HTTPClient'))).to.equal(204)
      expect(await status(updateOnEsp8266(key, '2.0'))).to.equal(304)
    })

    for (const [name, request] of [
      ['an ESP8266', updateOnEsp8266],
      ['an ESP32', updateOnEsp32],
    ] as const) {
      it(`is sent to ${name} with the header lines that it reads by the letter`, async () => {
        const answer = await rawRequest(api.url, request(key, '1.0'))
        const [head] = answer.split('\r\n\r\n')
        expect(head).to.match(/^HTTP\/1\.1 200 OK\r\n/)
        expect(head).to.include(`\r\nContent-Length: ${bytes.length}\r\n`)
        expect(head).to.include('\r\nContent-Type: application/octet-stream; charset=UTF-8\r\n')
        expect(head).to.match(/\r\nx-MD5: [0-9a-f]{32}\r\n/)
        expect(head.toLowerCase()).to.not.include('transfer-encoding').and.not.include('content-encoding')
        expect(Buffer.from(answer.slice(head.length + 4), 'latin1').equals(bytes)).to.equal(true)
      })
    }
  })

  describe('/measurement/loadByNodeIds', () => {
    const node = 'NodeNodeNodeNodeNodeN1'
    const load = (path: string, headers = {}): Promise<Answer> =>
      api.ask('GET', `/measurement/loadByNodeIds/${path}`, { authorization: null, headers })

    before(async () => {
      for (const value of ['1.00', '3.00'])
        await status(libraryGet(`/measurement/create/${nodeKey}/pressure/${value}`, 'ESP32HTTPClient'))
    })

    it('gives time, minimum, average and maximum of what the node measured', async () => {
      const answer = await load(`${nodeKey}/pressure,nothing/DAY/1`)
      expect(answer.status, answer.text).to.equal(200)
      expect(answer.body).to.deep.equal([
        { nodeId: node, fieldName: 'pressure', data: [[Date.parse('2026-11-21T12:00:00Z'), 1, 2, 3]] },
        { nodeId: node, fieldName: 'nothing', data: [] },
      ])
    })

    it('takes the id of a node from its device, and from who may read that', async () => {
      const own = await load(`${node}/pressure/WEEK/2`, { authorization: `Device ${key}` })
      expect(own.body[0].data).to.have.length(1)
      const { body } = await api.ask('POST', '/v1/organisations/guru/token')
      const token = { authorization: `Bearer ${body.token}` }
      expect((await load(`${node}/pressure/DAY/1?device=esp`, token)).body[0].data).to.have.length(1)
      expectProblem(await load(`${node}/pressure/DAY/1`, token), 400, 'invalid_request')
    })

    it('shows nothing to who has neither the key of the node nor of its device', async () => {
      expect((await load(`${node}/pressure/DAY/1`)).status).to.equal(404)
      const other = `Device ${(await api.device('stranger')).key}`
      expect((await load(`${node}/pressure/DAY/1`, { authorization: other })).status).to.equal(404)
      expectProblem(
        await load(`${node}/pressure/DAY/1`, { authorization: 'Bearer nonsense' }),
        401,
        'unauthenticated',
      )
    })

    for (const path of [
      'pressure/HOUR/1',
      'pressure/DAY/0',
      'pressure/DAY/1e3',
      'pressure/DAY/63',
      `${'f,'.repeat(20)}f/DAY/1`,
    ]) {
      it(`refuses ${path.slice(0, 20)}`, async () => {
        expect((await load(`${nodeKey}/${path}`)).status).to.equal(400)
      })
    }

    it('may be called by pages of any origin', async () => {
      const { headers } = await load(`${nodeKey}/pressure/DAY/1`, { origin: 'http://home.example' })
      expect(headers.get('access-control-allow-origin')).to.equal('*')
      const preflight = await api.ask('OPTIONS', `/measurement/loadByNodeIds/${nodeKey}/pressure/DAY/1`, {
        authorization: null,
        headers: { origin: 'http://home.example', 'access-control-request-method': 'GET' },
      })
      expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).to.deep.equal([
        204,
        'GET',
      ])
    })
  })

  it('/push/freeText is kept and shown to people like any other value', async () => {
    const path = `/push/freeText/${nodeKey}/Somebody%20rang%20%E2%80%94%20twice`
    expect(await status(libraryGet(path, 'ESP8266HTTPClient'))).to.equal(200)
    const { body } = await api.ask('GET', '/v1/devices/esp/latest?organisation=guru')
    const text = body.items.find((one: { key: string }) => one.key === 'NodeNodeNodeNodeNodeN1/freeText')
    expect(text.value).to.equal('Somebody rang \u2014 twice')
    expect(await status(libraryGet('/push/freeText/NKeyNKeyNKeyNKeyNKeyN2/x', 'ESP8266HTTPClient'))).to.equal(
      404,
    )
    expect(
      await status(libraryGet(`/push/freeText/${nodeKey}/${'x'.repeat(1025)}`, 'ESP8266HTTPClient')),
    ).to.equal(400)
  })

  describe('/mqtt/send', () => {
    it('publishes to the device of the node', async () => {
      sent.length = 0
      expect(
        await status(libraryGet(`/mqtt/send/${nodeKey}/led/on%20%2F%20off`, 'ESP32HTTPClient')),
      ).to.equal(200)
      expect(sent).to.have.length(1)
      expect(sent[0].org).to.equal('guru')
      expect(sent[0].topic).to.equal(
        'sub/UserUserUserUserUserU1/DeviDeviDeviDeviDeviD1/NodeNodeNodeNodeNodeN1/led',
      )
      expect(Buffer.from(sent[0].payload).toString()).to.equal('on / off')
    })

    it('refuses what the library would drop: packets of more than 128 bytes', async () => {
      sent.length = 0
      const topic = 'sub/UserUserUserUserUserU1/DeviDeviDeviDeviDeviD1/NodeNodeNodeNodeNodeN1/led'
      const longest = 'x'.repeat(128 - 6 - topic.length)
      expect(await status(libraryGet(`/mqtt/send/${nodeKey}/led/${longest}`, 'ESP32HTTPClient'))).to.equal(
        200,
      )
      expect(await status(libraryGet(`/mqtt/send/${nodeKey}/led/${longest}x`, 'ESP32HTTPClient'))).to.equal(
        400,
      )
      expect(sent).to.have.length(1)
    })

    it('sends to no other topic, whatever the field is', async () => {
      sent.length = 0
      for (const field of ['%23', '%2B', 'a%00']) {
        expect(await status(libraryGet(`/mqtt/send/${nodeKey}/${field}/x`, 'ESP32HTTPClient'))).to.equal(400)
      }
      expect(await status(libraryGet(`/mqtt/send/${nodeKey}/a%2Fb/x`, 'ESP32HTTPClient'))).to.equal(400)
      expect(await status(libraryGet(`/mqtt/send/${key}/led/x`, 'ESP32HTTPClient'))).to.equal(404)
      expect(sent).to.deep.equal([])
    })
  })
})
