import { once } from 'node:events'
import { connect } from 'node:net'
import { expect } from 'chai'
import { encode } from 'dns-packet'
import { assert, asyncProperty, property, uint8Array } from 'fast-check'
import { afterEach, describe, it } from 'mocha'
import { addressBytes } from '#healthcheck/dns/server/address.ts'
import { noPlaces, parsePlaces } from '#healthcheck/dns/server/places.ts'
import { respond } from '#healthcheck/dns/server/responder.ts'
import { type DnsServer, type DnsServerOptions, startDnsServer } from '#healthcheck/dns/server/server.ts'
import { nameServersOf } from '#healthcheck/dns/tree.ts'
import { type DnsView, dnsView } from '#healthcheck/dns/view.ts'
import type { Standing } from '#healthcheck/votes/vote.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { askTcp, askUdp, type Got, question } from '../ask.ts'
import { dcOfAddress, exampleCell } from '../cell.ts'

const zone = 'iot.example.org'
const cell = exampleCell()
const places = parsePlaces(
  ['198.51.100.0/24 NA/US', '203.0.113.0/24 EU/DE', '192.0.2.0/25 SA', '2001:db8::/32 AS/JP'].join('\n'),
  'nets',
)
const log = createLogger({ level: 'silent' })

const out = (subject: string): Standing => ({
  subject,
  state: 'down',
  serving: false,
  percent: 100,
  reason: '',
})

interface Running {
  readonly server: DnsServer
  readonly view: DnsView
  readonly metrics: Metrics
}

const running: DnsServer[] = []

async function start(more: Partial<DnsServerOptions> = {}): Promise<Running> {
  const view = dnsView(cell)
  const metrics = new Metrics()
  const server = await startDnsServer({
    listen: { host: '127.0.0.1', port: 0 },
    view,
    nameServers: nameServersOf(cell),
    places,
    metrics,
    log,
    ...more,
  })
  running.push(server)
  return { server, view, metrics }
}

const dcs = ({ values }: Got): (string | undefined)[] => values.map((one) => dcOfAddress(cell, one))

describe('the DNS server of a checker', () => {
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.close()))
  })

  it('sends each client to the nearest DC that is up, by the subnet that its resolver tells', async () => {
    const { server, view } = await start()
    const ask = (subnet: string): Promise<Got> => askUdp(server, { name: `mqtt.${zone}`, subnet })
    expect(dcs(await ask('198.51.100.0/24'))).to.deep.equal(['dc01'])
    expect(dcs(await ask('203.0.113.0/24'))).to.deep.equal(['dc03'])
    expect(dcs(await ask('192.0.2.0/24'))).to.deep.equal(['dc01'])
    expect(dcs(await ask('192.0.2.0/25'))).to.deep.equal(['dc02'])
    expect(dcs(await ask('2001:db8:7::/48'))).to.deep.equal(['dc03'])
    view.update([out('dc03')])
    const there = await ask('203.0.113.0/24')
    expect(dcs(there)).to.deep.equal(['dc01'])
    expect(there.scope).to.equal(24)
    expect(there.packet.flag_aa).to.equal(true)
    expect(there.packet.answers?.[0]).to.include({ ttl: 60, type: 'A', name: `mqtt.${zone}` })
  })

  it('goes by the address of the resolver when it tells no subnet, or one of length 0', async () => {
    const loopback = parsePlaces('127.0.0.9/32 EU', 'nets')
    const { server } = await start({ places: loopback })
    const name = `mqtt.${zone}`
    expect(dcs(await askUdp(server, { name }, '127.0.0.9'))).to.deep.equal(['dc03'])
    expect(dcs(await askUdp(server, { name }, '127.0.0.8'))).to.deep.equal(['dc01'])
    const shy = await askUdp(server, { name, subnet: '0.0.0.0/0' }, '127.0.0.9')
    expect([dcs(shy), shy.scope]).to.deep.equal([['dc03'], 0])
  })

  it('spreads clients by weight and percent, exactly also for a few', async () => {
    const { server, view } = await start()
    view.update([{ ...out('dc01'), state: 'up', serving: true, percent: 25 }])
    const count: Record<string, number> = {}
    for (let at = 0; at < 100; at++) {
      const [address] = (await askUdp(server, { name: `mqtt.${zone}`, subnet: '198.51.100.0/24' })).values
      count[address] = (count[address] ?? 0) + 1
    }
    expect((count['192.0.2.21'] ?? 0) + (count['192.0.2.22'] ?? 0)).to.be.within(23, 27)
    expect(count['198.51.100.21']).to.be.within(35, 40)
  })

  it('lets resolvers keep what is the same for everybody', async () => {
    const { server } = await start()
    const subnet = '198.51.100.0/24'
    expect((await askUdp(server, { name: `dc02.${zone}`, subnet })).scope).to.equal(0)
    expect((await askUdp(server, { name: `nothing.${zone}`, subnet })).scope).to.equal(0)
    expect((await askUdp(server, { name: `mqtt.${zone}`, edns: {} })).scope).to.equal(undefined)
  })

  it('answers what it can and says clearly what it can not', async () => {
    const { server } = await start()
    const rows: [name: string, type: string, rcode: number, answers: number, authorities: number][] = [
      [zone, 'SOA', 0, 1, 0],
      [zone, 'NS', 0, 5, 0],
      [zone, 'A', 0, 0, 1],
      [`mqtt.${zone}`, 'AAAA', 0, 0, 1],
      [`mqtt.${zone}`, 'MX', 0, 0, 1],
      [`mqtt.${zone}`, 'UNKNOWN_65', 0, 0, 1],
      [`mqtt.${zone}`, 'ANY', 0, 1, 0],
      [`_chain.${zone}`, 'A', 0, 0, 1],
      [`nothing.${zone}`, 'A', 3, 0, 1],
      [`nothing.${zone}`, 'SOA', 3, 0, 1],
      [`a.mqtt.${zone}`, 'A', 3, 0, 1],
      ['example.org', 'A', 5, 0, 0],
      [`not${zone}`, 'A', 5, 0, 0],
      ['.', 'NS', 5, 0, 0],
      [zone, 'AXFR', 5, 0, 0],
    ]
    for (const [name, type, rcode, answers, authorities] of rows) {
      const { packet, ...got } = await askUdp(server, { name, type })
      const what = `${name} ${type}`
      expect([got.rcode, packet.answers?.length, packet.authorities?.length], what).to.deep.equal([
        rcode,
        answers,
        authorities,
      ])
      expect(packet.questions?.[0], what).to.include({ name, type })
    }
    const ns = await askUdp(server, { name: zone, type: 'NS', edns: {} })
    const glue = ns.packet.additionals?.filter(({ type }) => type === 'A').map(({ name }) => name)
    expect(glue).to.deep.equal(nameServersOf(cell))
  })

  it('repeats a name as it was written, and knows it in any case', async () => {
    const { server } = await start()
    const { packet } = await askUdp(server, { name: `mQtT.${zone.toUpperCase()}` })
    expect(packet.questions?.[0].name).to.equal(`mQtT.${zone.toUpperCase()}`)
    expect(packet.answers?.[0].name).to.equal(`mQtT.${zone.toUpperCase()}`)
  })

  it('truncates what does not fit, and gives all of it over TCP, in order', async () => {
    const { server, metrics } = await start({
      nameServers: Array.from({ length: 30 }, (_, at) => `ns${at}.a-long-name-for-a-name-server.example.net`),
    })
    const short = await askUdp(server, { name: zone, type: 'NS' })
    expect([short.packet.flag_tc, short.packet.answers?.length]).to.deep.equal([true, 0])
    const [whole, other] = await askTcp(server, [{ name: zone, type: 'NS' }, { name: `dc01-app1.${zone}` }])
    expect([whole.packet.flag_tc, whole.packet.answers?.length]).to.deep.equal([false, 30])
    expect(other.values).to.deep.equal(['192.0.2.21'])
    expect(metrics.total('cinque_dns_truncated_total')).to.equal(1)
    expect(metrics.total('cinque_dns_answers_total')).to.equal(3)
  })

  it('speaks EDNS version 0 only, and says so', async () => {
    const { server } = await start()
    expect((await askUdp(server, { name: `mqtt.${zone}`, edns: { version: 1 } })).rcode).to.equal(16)
  })

  it('answers FORMERR to subnets that are none', async () => {
    const { server } = await start()
    const good = encode(question({ name: `mqtt.${zone}`, subnet: '198.51.100.0/24' }))
    const at = good.length - 7
    for (const [offset, value, what] of [
      [1, 9, 'unknown family'],
      [2, 33, 'longer than an address'],
      [2, 16, 'more bytes than told'],
      [2, 20, 'bits beyond its length'],
      [3, 24, 'a scope in a question'],
    ]) {
      const bad = Buffer.from(good)
      bad[at + Number(offset)] = Number(value)
      expect((await askUdp(server, bad)).rcode, String(what)).to.equal(1)
    }
  })

  it('goes on after whatever is sent to it', async () => {
    const { server, metrics } = await start({ rate: { rate: 0, burst: 0 } })
    const good = encode(question({ name: `mqtt.${zone}`, subnet: '198.51.100.0/24' }))
    const responder = { view: dnsView(cell), nameServers: nameServersOf(cell), places, choose: () => 0.5 }
    const from = addressBytes('192.0.2.1') ?? new Uint8Array(4)
    const harmless = (message: Buffer): void => {
      for (const transport of ['udp', 'tcp'] as const) {
        const response = respond(responder, message, from, transport)
        expect(response?.message.readUInt16BE(0) ?? message.readUInt16BE(0)).to.equal(message.readUInt16BE(0))
      }
    }
    assert(property(uint8Array({ minLength: 2, maxLength: 600 }), (bytes) => harmless(Buffer.from(bytes))))
    for (let at = 0; at < good.length; at++) {
      for (const value of [0, 0x0c, 0x3f, 0x7f, 0xc0, 0xff]) {
        const bad = Buffer.from(good)
        bad[at] = value
        harmless(bad)
      }
      if (at >= 2) harmless(good.subarray(0, at))
    }
    await assert(
      asyncProperty(uint8Array({ maxLength: 40 }), async (bytes) => {
        const socket = connect(server.port, server.host)
        socket.end(Buffer.from(bytes))
        socket.resume()
        await once(socket, 'close')
      }),
      { numRuns: 20 },
    )
    expect((await askUdp(server, { name: `mqtt.${zone}` })).values).to.have.length(1)
    expect(metrics.render()).to.match(/cinque_dns_connections 0\n/)
  })

  it('bounds the rate of a network, and sends some of the rest to TCP, which a false sender cannot use', async () => {
    const { server, metrics } = await start({ rate: { rate: 0.001, burst: 5 } })
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => askUdp(server, { name: `mqtt.${zone}` })),
    )
    expect(results.every(({ status }) => status === 'fulfilled')).to.equal(true)
    const message = encode(question({ name: `mqtt.${zone}` }))
    const refused = await Promise.any([1, 2].map(() => askUdp(server, message)))
    expect([refused.packet.flag_tc, refused.values]).to.deep.equal([true, []])
    expect(metrics.render()).to.match(/cinque_dns_dropped_total\{reason="rate"\} 1\n/)
    expect((await askUdp(server, { name: `mqtt.${zone}` }, '127.0.5.1')).values).to.have.length(1)
  })

  it('cuts a connection that sends what is no question', async () => {
    const { server, metrics } = await start()
    const socket = connect(server.port, server.host)
    socket.write(Buffer.from([0xff, 0xff, 1, 2, 3]))
    await once(socket, 'close')
    expect(metrics.render()).to.match(/cinque_dns_dropped_total\{reason="too-long"\} 1\n/)
  })

  it('bounds the connections of a network', async () => {
    const { server, metrics } = await start()
    const sockets = Array.from({ length: 40 }, () => connect(server.port, server.host))
    await new Promise<void>((resolve) => {
      let cut = 0
      for (const one of sockets) one.on('close', () => ++cut === 8 && resolve())
    })
    for (const one of sockets) one.destroy()
    expect(metrics.render()).to.match(/cinque_dns_dropped_total\{reason="connections"\} 8\n/)
  })

  it('says which address it cannot have', async () => {
    const { server } = await start()
    const again = startDnsServer({
      listen: server,
      view: dnsView(cell),
      nameServers: [],
      places: noPlaces,
      metrics: new Metrics(),
      log,
    })
    const error = await again.then(
      () => undefined,
      (reason: Error) => reason,
    )
    expect(error?.message).to.match(/cannot answer DNS on 127\.0\.0\.1 port \d+: it is in use/)
  })

  it('answers over IPv6 too', async () => {
    const { server } = await start({ listen: { host: '::1', port: 0 } })
    expect((await askUdp(server, { name: `mqtt.${zone}` })).values).to.have.length(1)
  })
})
