import { createServer, type Server } from 'node:http'
import { createServer as createTcp, type AddressInfo } from 'node:net'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createSecureContext } from 'node:tls'
import { expect } from 'chai'
import { generate, type Packet, parser } from 'mqtt-packet'
import { decode, encode, AUTHORITATIVE_ANSWER } from 'dns-packet'
import type { Access } from '#healthcheck/probes/access.ts'
import { cassandra } from '#healthcheck/probes/cassandra.ts'
import { disk } from '#healthcheck/probes/disk.ts'
import { dnsAnswer } from '#healthcheck/probes/dns-answer.ts'
import { gateways } from '#healthcheck/probes/gateways.ts'
import { mqttRoundTrip } from '#healthcheck/probes/mqtt-round-trip.ts'
import { MqttSessions } from '#healthcheck/probes/mqtt-sessions.ts'
import { NodeMetrics } from '#healthcheck/probes/node-metrics.ts'
import type { Probe, Target } from '#healthcheck/probes/probe.ts'
import { Rest } from '#healthcheck/probes/rest.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { wrong } from './fixture.ts'

/** One host on this machine, whose ports are those of servers that the tests bring. */
function access(ports: { mqtt?: number; http?: number }): Access & { target: Target } {
  const inventory: Inventory = checkInventory(
    {
      cell: 'test',
      dcs: [{ name: 'dc01', number: 1, place: 'Montreal', kind: 'live', replicas: 1 }],
      hosts: [{ name: 'dc01-n1', dc: 'dc01', roles: ['db', 'app'], address: '127.0.0.1' }],
      ports,
      dns: { zone: 'iot.example.org', names: ['mqtt'] },
    },
    'the test',
  )
  return {
    inventory,
    checker: 'c1',
    serviceName: 'mqtt.iot.example.org',
    secure: createSecureContext(),
    tls: false,
    device: { id: 'd1', key: 'k' },
    apiKey: 'cq_k',
    target: { dc: inventory.dcs[0], host: inventory.hosts[0] },
  }
}

describe('Probes of what a host says of itself', () => {
  let server: Server
  let page = ''
  let rest: Rest
  let metrics: NodeMetrics
  let target: Target

  beforeEach(async () => {
    server = createServer((_request, response) => response.end(page)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const given = access({ http: (server.address() as AddressInfo).port })
    target = given.target
    rest = new Rest(given, () => undefined)
    metrics = new NodeMetrics(rest, [
      'cinque_cassandra_up',
      'cinque_cassandra_nodes',
      'cinque_bus_connected',
      'cinque_bus_away',
      'cinque_cluster_peers',
      'cinque_cluster_peers_in_contact',
      'cinque_disk_free_ratio',
    ])
  })

  afterEach(() => {
    rest.close()
    server.closeAllConnections()
    server.close()
  })

  const rows: [probe: (from: NodeMetrics) => Probe, page: string, says: string][] = [
    [cassandra, 'cinque_cassandra_up 0\n', 'Cassandra of dc01 does not answer'],
    [
      cassandra,
      'cinque_cassandra_up 1\ncinque_cassandra_nodes{dc="dc01",state="up"} 4\n' +
        'cinque_cassandra_nodes{dc="dc02",state="up"} 3\ncinque_cassandra_nodes{dc="dc02",state="down"} 1\n',
      'Cassandra nodes are down: 1 in dc02',
    ],
    [cassandra, 'cinque_cassandra_up 1\ncinque_cassandra_nodes{dc="dc01",state="down"} 0\n', ''],
    [gateways, 'cinque_bus_connected 0\n', 'no nats-server can be reached'],
    [
      gateways,
      'cinque_bus_connected 1\ncinque_bus_away 1\n',
      'its own nats-server is away, another one is used',
    ],
    [
      gateways,
      'cinque_bus_connected 1\ncinque_cluster_peers 9\ncinque_cluster_peers_in_contact 7\n',
      'out of contact with 2 of 9 processes of the cell',
    ],
    [gateways, 'cinque_bus_connected 1\ncinque_cluster_peers 9\ncinque_cluster_peers_in_contact 9\n', ''],
    [(from) => disk(from, 0.1), 'cinque_disk_free_ratio{path="/var/lib"} 0.0999\n', '/var/lib has 9 % left'],
    [(from) => disk(from, 0.1), 'cinque_disk_free_ratio{path="/var/lib"} 0.5\n', ''],
    // One process with an embedded store has none of them.
    [cassandra, '# HELP nothing\n', ''],
    [gateways, '', ''],
    [(from) => disk(from, 0.1), 'not a page of metrics', ''],
  ]
  for (const [make, given, says] of rows) {
    it(`${make(new NodeMetrics({} as Rest, [])).name} says "${says}" of ${JSON.stringify(given.slice(0, 60))}`, async () => {
      page = given
      expect(await wrong(make(metrics), target)).to.equal(says)
    })
  }
})

describe('A round trip by MQTT', () => {
  it('fails on a broker that takes messages and loses them, and is not satisfied by another message', async () => {
    const version5 = { protocolVersion: 5 }
    let published = 0
    const server = createTcp((socket) => {
      const send = (packet: Packet): void => void socket.write(generate(packet, version5))
      const read = parser(version5)
      socket.on('data', (chunk: Buffer) => read.parse(chunk))
      socket.on('error', () => socket.destroy())
      read.on('packet', (packet: Packet) => {
        if (packet.cmd === 'connect') send({ cmd: 'connack', reasonCode: 0, sessionPresent: false })
        if (packet.cmd === 'subscribe')
          send({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: [1] })
        if (packet.cmd !== 'publish') return
        published++
        send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 })
        send({ ...packet, messageId: 1, payload: 'of somebody else' })
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const given = access({ mqtt: (server.address() as AddressInfo).port })
    const sessions = new MqttSessions(given, () => undefined)
    try {
      expect(await wrong(mqttRoundTrip(sessions, 'c1', 'tcp'), given.target, 1000)).to.match(/timeout/)
      expect(published).to.equal(1)
    } finally {
      await sessions.close()
      server.close()
    }
  })
})

describe('A probe of DNS', () => {
  let server: Socket
  let answers: Record<string, string>

  beforeEach(async () => {
    server = createSocket('udp4')
    server.on('message', (message, { port, address }) => {
      const query = decode(message)
      const [question] = query.questions ?? []
      const data = answers[question.name]
      const found = data === undefined ? [] : [{ type: 'A', name: question.name, ttl: 60, data } as const]
      server.send(
        encode({
          type: 'response',
          id: query.id ?? 0,
          flags: AUTHORITATIVE_ANSWER,
          questions: [question],
          answers: found,
        }),
        port,
        address,
      )
    })
    server.bind(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterEach(() => void server.close())

  function ask(): Promise<string> {
    const { inventory, target } = access({})
    const probe = dnsAnswer(inventory, [`127.0.0.1:${server.address().port}`])
    return probe === undefined ? Promise.resolve('no probe') : wrong(probe, target)
  }

  it('is content with the own address of a host and hosts of the inventory for the service', async () => {
    answers = { 'dc01-n1.iot.example.org': '127.0.0.1', 'mqtt.iot.example.org': '127.0.0.1' }
    expect(await ask()).to.equal('')
  })

  it('names a wrong address, a foreign one, and a name that is not there', async () => {
    answers = { 'dc01-n1.iot.example.org': '192.0.2.9', 'mqtt.iot.example.org': '127.0.0.1' }
    expect(await ask()).to.match(/dc01-n1\.iot\.example\.org is 192\.0\.2\.9, not 127\.0\.0\.1/)
    answers = { 'dc01-n1.iot.example.org': '127.0.0.1', 'mqtt.iot.example.org': '198.51.100.7' }
    expect(await ask()).to.match(/198\.51\.100\.7, which is no host of the inventory/)
    answers = { 'dc01-n1.iot.example.org': '127.0.0.1' }
    expect(await ask()).to.match(/does not know mqtt\.iot\.example\.org \(ENODATA\)/)
  })

  it('is not there without name servers or a zone', () => {
    expect(dnsAnswer(access({}).inventory, [])).to.equal(undefined)
  })
})
