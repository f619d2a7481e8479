import { createServer } from 'node:net'
import { once } from 'node:events'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { answers } from '#healthcheck/dns/evaluator.ts'
import { gdnsdFiles } from '#healthcheck/dns/gdnsd/config.ts'
import { gdnsdStates, writeGdnsdStates } from '#healthcheck/dns/gdnsd/states.ts'
import type { NetPlace } from '#healthcheck/dns/server/places.ts'
import { dnsView } from '#healthcheck/dns/view.ts'
import type { Standing } from '#healthcheck/votes/vote.ts'
import { checkInventory } from '#platform/inventory/inventory.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { askUdp } from '../ask.ts'
import { dcStates, exampleCell } from '../cell.ts'
import { checkGdnsd, type Gdnsd, startGdnsd } from './running.ts'

const zone = 'iot.example.org'
const entries: NetPlace[] = [
  { network: '198.51.100.0/24', place: { continent: 'NA', country: 'US' } },
  { network: '198.51.101.0/24', place: { continent: 'NA', country: 'JM' } },
  { network: '203.0.113.0/24', place: { continent: 'EU', country: 'DE' } },
  { network: '192.0.2.0/24', place: { continent: 'AS', country: 'JP' } },
  { network: '192.0.3.0/24', place: { continent: 'SA', country: 'BR' } },
  { network: '2001:db8::/32', place: { continent: 'OC', country: 'AU' } },
]
/** One in each of six regions, and one that nobody knows. */
const clients = [
  ...entries.map(({ network, place }) => ({ subnet: network, place })),
  { subnet: '100.64.0.0/24', place: {} },
]

/** Not all hosts alike: a heavy one, and one for when no other of its DC is up. */
function cellWithWeights(): ReturnType<typeof exampleCell> {
  const cell = exampleCell()
  for (const host of cell.hosts) {
    if (host.name === 'dc01-app2') host.weight = 30
    if (host.name === 'dc02-app2') host.weight = 0
  }
  return cell
}

const out = (subject: string): Standing => ({
  subject,
  state: 'down',
  serving: false,
  percent: 100,
  reason: '',
})

describe('gdnsd from the same inventory', () => {
  const cell = cellWithWeights()
  let gdnsd: Gdnsd

  before(async function () {
    this.timeout(120_000)
    const port = await freePort()
    gdnsd = await startGdnsd(cell, { host: '127.0.0.1', port }, { places: entries }, gdnsdStates(cell, []))
  })
  after(() => gdnsd.stop())

  /** Addresses that gdnsd gives each client, with how often, in `times` questions. */
  async function given(times: number, name = `mqtt.${zone}`): Promise<Map<string, number>[]> {
    return Promise.all(
      clients.map(async ({ subnet }) => {
        const count = new Map<string, number>()
        for (let at = 0; at < times; at++) {
          const [address] = (await askUdp(gdnsd, { name, subnet })).values
          count.set(address, (count.get(address) ?? 0) + 1)
        }
        return count
      }),
    )
  }

  function expected(standings: readonly Standing[], name = `mqtt.${zone}`): string[][] {
    const view = dnsView(cell)
    view.update(standings)
    return clients.map(({ place }) =>
      answers(view.tree, { name, type: 'A' }, place, view.healthy).flatMap(({ values }) => values),
    )
  }

  /** Writes states and waits until gdnsd gives what the evaluator says, to every client. */
  async function becomes(standings: readonly Standing[]): Promise<void> {
    writeGdnsdStates(gdnsd.stateFile, gdnsdStates(cell, standings))
    const wanted = expected(standings)
    const end = performance.now() + 15_000
    for (;;) {
      const got = await given(1)
      const wrong = clients.findIndex((_, at) => [...got[at].keys()].some((one) => !wanted[at].includes(one)))
      if (wrong < 0) break
      if (performance.now() > end) {
        throw new Error(
          `${clients[wrong].subnet} gets ${[...got[wrong].keys()].join()} instead of ${wanted[wrong].join()} with ${standings.map(({ subject }) => subject).join()} out`,
        )
      }
    }
    for (const [at, count] of (await given(6)).entries()) {
      for (const address of count.keys()) expect(wanted[at], clients[at].subnet).to.include(address)
    }
  }

  it('gives every client what the evaluator says, for states of the DCs', async function () {
    this.timeout(180_000)
    const all = [...dcStates(cell)].map((up) =>
      cell.dcs.map(({ name }) => name).filter((name) => !up.has(name)),
    )
    // All 32 take over a minute, since gdnsd takes two seconds for each.
    const some = [
      'dc01',
      'dc02 dc03',
      'dc01 dc02 dc03',
      'dc01 dc02 dc03 dcb1',
      'dc01 dc02 dc03 dcb1 dcb2',
      'dcb1 dcb2',
      '',
    ].map((list) => list.split(' ').filter((one) => one !== ''))
    for (const down of process.env.CINQUE_TEST_ALL_STATES === '1' ? all : some) await becomes(down.map(out))
  })

  it('takes single hosts out, and uses one of weight 0 when no other of its DC is up', async function () {
    this.timeout(60_000)
    await becomes([out('dc01-app2'), out('dc02-app1')])
    const [unitedStates] = await given(4)
    expect([...unitedStates.keys()]).to.deep.equal(['192.0.2.21'])
    expect([...(await given(2, `dc02.${zone}`))[0].keys()]).to.deep.equal(['198.51.100.22'])
    await becomes([])
    expect([...(await given(8, `dc02.${zone}`))[0].keys()]).to.deep.equal(['198.51.100.21'])
  })

  it('follows the weights of hosts', async () => {
    const [unitedStates] = await given(200)
    // 3 of 4, and six standard deviations around it
    expect(unitedStates.get('192.0.2.22')).to.be.within(113, 187)
  })

  it('answers for the zone, DCs, app hosts and checkers, with the time to live of the inventory', async () => {
    const { packet } = await askUdp(gdnsd, { name: `mqtt.${zone}`, subnet: '203.0.113.0/24' })
    expect(packet.answers?.[0]).to.include({ ttl: 60 })
    expect((await askUdp(gdnsd, { name: `dcb2-app2.${zone}` })).values).to.deep.equal(['203.0.113.222'])
    expect((await askUdp(gdnsd, { name: `dcb2-check1.${zone}` })).values).to.deep.equal(['203.0.113.231'])
    expect((await askUdp(gdnsd, { name: zone, type: 'NS' })).packet.answers).to.have.length(5)
    expect((await askUdp(gdnsd, { name: `nothing.${zone}` })).rcode).to.equal(3)
  })
})

describe("gdnsd's files", () => {
  it('pass its own check for the cells there are', async function () {
    this.timeout(60_000)
    const dev = { ...devInventory(), dns: { zone: 'cell.test', names: ['mqtt'], ttl: 5 } }
    dev.hosts[0].roles = ['db', 'app', 'checker']
    dev.health.quorum = 1
    await checkGdnsd(checkInventory(dev, 'cell.yaml'))
    const both = exampleCell()
    both.hosts.push(
      ...both.dcs.map(({ name, number }) => ({
        name: `${name}-six`,
        dc: name,
        roles: ['app' as const],
        address: `2001:db8::${number}`,
        brokers: 1,
        weight: 10,
      })),
    )
    await checkGdnsd(both, { places: entries, listen: ['127.0.0.1', '[::1]:5355'] })
  })

  it('lead from a database of places to the same chains', () => {
    const config = gdnsdFiles(exampleCell(), {
      listen: ['192.0.2.1'],
      geoip2: '/var/lib/GeoIP/country.mmdb',
    }).get('config')
    expect(config).to.match(/geoip2_db => \/var\/lib\/GeoIP\/country\.mmdb\n/)
    expect(config).to.match(/ {10}default => \[ dc01, dc02, dc03, dcb1, dcb2 \]\n/)
    expect(config).to.match(/EU => \{\n +default => \[ dc03, dc01, dc02, dcb2, dcb1 \]/)
    expect(config).to.match(/NA => \{[^}]*default => \[ dc01,[^}]*JM => \[ dc02,/)
  })

  it('have IPv6 only where all DCs have it, and no cell in which some clients would be left alone', () => {
    const cell = exampleCell()
    for (const host of cell.hosts) if (host.name === 'dc03-app1') host.address = '2001:db8::1'
    expect(gdnsdFiles(cell, { listen: ['192.0.2.1'] }).get('config')).not.to.match(/addrs_v6/)
    for (const host of cell.hosts) if (host.name === 'dc03-app2') host.address = '2001:db8::2'
    expect(() => gdnsdFiles(cell, { listen: ['192.0.2.1'] })).to.throw(/gdnsd needs one kind in all/)
  })

  it('need a zone and name servers', () => {
    expect(() => gdnsdFiles(devInventory(), { listen: [] })).to.throw(/has no dns/)
    const dev = { ...devInventory(), dns: { zone: 'cell.test', names: ['mqtt'], ttl: 5 } }
    expect(() => gdnsdFiles(dev, { listen: [] })).to.throw(/give some hosts the role checker/)
  })
})

describe('the states of hosts that gdnsd reads', () => {
  const cell = exampleCell()
  const states = (...standings: Standing[]): string[] =>
    gdnsdStates(cell, standings)
      .trim()
      .split('\n')
      .filter((line) => line.endsWith('UP'))
      .map((line) => line.split(' ')[0])

  it('take a host out by itself and with its DC', () => {
    expect(states()).to.have.length(10)
    expect(states(out('dc01-app1'))).not.to.include('192.0.2.21')
    expect(states(out('dc01'))).not.to.include.members(['192.0.2.21', '192.0.2.22'])
  })

  it('leave out who serves less than half, while others serve more', () => {
    const part = (subject: string, percent: number): Standing => ({ ...out(subject), serving: true, percent })
    expect(states(part('dc01', 25))).not.to.include('192.0.2.21')
    expect(states(part('dc01', 50))).to.include('192.0.2.21')
    expect(states(part('dc01', 25), ...['dc02', 'dc03', 'dcb1', 'dcb2'].map(out))).to.deep.equal([
      '192.0.2.21',
      '192.0.2.22',
    ])
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
