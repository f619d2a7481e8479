import { expect } from 'chai'
import { type NatsConfig, natsConfig } from '#platform/nats/server/config.ts'
import { newUser } from '../mesh.ts'

const user = newUser()

const good: NatsConfig = {
  name: 'dc01-n1',
  clients: '127.0.1.1:4222',
  monitor: '127.0.0.1:8222',
  tls: { certFile: '/pki/dc01-n1.pem', keyFile: '/pki/dc01-n1.key', caFile: '/pki/ca.pem' },
  users: [user.publicKey],
  gateway: {
    listen: '127.0.1.1:7222',
    password: 'a-long-password',
    servers: [
      { name: 'dc01-n1', address: 'n1.dc01.example:7222' },
      { name: 'dc02-n1', address: 'n1.dc02.example:7222' },
    ],
  },
}

describe('configuration of nats-server', () => {
  const text = natsConfig(good)

  it('is a cluster of its own: the loss of another server of the DC must not cut gateways', () => {
    expect(text).not.to.match(/^\s*cluster\b/m)
    expect(text).to.match(/gateway \{\n {2}name: "dc01-n1"/)
  })

  it('dials all others, not itself', () => {
    expect(text.match(/urls: \[.*\]/g)).to.deep.equal([
      'urls: ["nats://gateway:a-long-password@n1.dc02.example:7222"]',
    ])
  })

  it('asks clients and gateways for TLS', () => {
    expect(text.match(/tls \{/g)).to.have.length(2)
  })

  it('lets processes use the subjects of frames and no other', () => {
    expect(text).to.include('publish: ["n.*", "all"], subscribe: ["n.*", "all"]')
    expect(natsConfig({ ...good, subjectPrefix: 'cell.a' })).to.include(
      'publish: ["cell.a.n.*", "cell.a.all"]',
    )
  })

  it('quotes paths', () => {
    const odd = natsConfig({ ...good, tls: { certFile: '/a b/"c"', keyFile: 'C:\\k', caFile: '/ca' } })
    expect(odd).to.include('cert_file: "/a b/\\"c\\""')
    expect(odd).to.include('key_file: "C:\\\\k"')
  })

  for (const [what, wrong, said] of [
    ['name', { name: 'DC 1' }, 'name: "DC 1" must be small letters'],
    ['client address', { clients: '4222' }, 'clients: "4222" must be address:port'],
    ['monitor address', { monitor: 'x' }, 'monitor: "x" must be address:port'],
    ['user', { users: ['me'] }, 'users: "me" must be the public nkey of a user'],
    ['seed, not shown', { users: [user.seed] }, 'users: "S... (a seed)" must be the public nkey'],
    ['watcher', { watcher: 'me' }, 'watcher: "me" must be the public nkey'],
    ['prefix', { subjectPrefix: 'a.*' }, 'subjectPrefix: "a.*" must be letters'],
    ['gateway address', { gateway: { ...good.gateway, listen: 'x' } }, 'gateway.listen: "x" must be'],
    [
      'password, not shown',
      { gateway: { ...good.gateway, password: 'p@ss' } },
      'gateway.password: "..." must be 12 or more',
    ],
    [
      'server of the mesh',
      { gateway: { ...good.gateway, servers: [{ name: 'b', address: 'b' }] } },
      'gateway.servers: b: "b" must be address:port',
    ],
  ] as const)
    it(`refuses a wrong ${what}, by its field`, () => {
      expect(() => natsConfig({ ...good, ...wrong } as NatsConfig)).to.throw(said)
    })
})
