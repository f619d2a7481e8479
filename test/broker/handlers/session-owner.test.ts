import { expect } from 'chai'
import type { AclRule } from '#platform/auth/acl.ts'
import { AclRules } from '#platform/auth/acl.ts'
import type { Authenticator } from '#platform/auth/principal.ts'
import { TestBroker, type TestClient, texts } from '../harness.ts'

const ALL: AclRule = { effect: 'allow', access: 'all', filter: '#' }
const SESSION = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

/** Knows everybody by name; `d...` are devices. */
class Names implements Authenticator {
  rules: readonly AclRule[] = [ALL]

  authenticate({ username = '', clientId }: { username?: string | undefined; clientId: string }) {
    const org = 'default'
    const acl = new AclRules(this.rules).for({ username, clientId, device: username })
    const device = username.startsWith('d') ? { org, id: username, name: username } : null
    return { org, username, device, acl, quota: {} }
  }
}

describe('whose a session is', () => {
  const names = new Names()
  let t: TestBroker

  beforeEach(async () => {
    names.rules = [ALL]
    t = await TestBroker.start({}, { authenticator: names })
  })

  afterEach(() => t.stop())

  const as = (username: string, clientId = 'shared-id'): Promise<TestClient> =>
    t.connect(clientId, { ...SESSION, username })

  async function leavesMail(username: string): Promise<void> {
    const client = await as(username)
    await client.subscribe('secret', { qos: 1 })
    await client.vanish()
    const publisher = await as('somebody', 'publisher')
    await publisher.publishAcknowledged('secret', 'for my eyes only')
  }

  it("another user with the same client id does not get the first one's messages or subscriptions", async () => {
    await leavesMail('alice')
    const bob = await as('bob')
    expect(bob.sessionPresent).to.equal(false)
    const publisher = await as('somebody', 'publisher')
    await publisher.publishAcknowledged('secret', 'more of it')
    expect(await bob.messages()).to.deep.equal([])
  })

  it("a device with a user's client id does not get the user's messages", async () => {
    await leavesMail('alice')
    const device = await as('d1')
    expect(device.sessionPresent).to.equal(false)
    expect(await device.messages()).to.deep.equal([])
  })

  it("a device cannot take or end another device's session", async () => {
    await leavesMail('d1')
    const thief = t.dial()
    thief.connect('shared-id', { cleanStart: true, username: 'd2' })
    expect((await thief.expect(2)).value.reason).to.equal(0x87)
    expect(texts(await (await as('d1')).messages())).to.deep.equal(['for my eyes only'])
  })

  it('the same user finds all of it again', async () => {
    await leavesMail('alice')
    const alice = await as('alice')
    expect(alice.sessionPresent).to.equal(true)
    expect(texts(await alice.messages())).to.deep.equal(['for my eyes only'])
  })

  it('what the rules do not allow any more is not delivered to a session made before', async () => {
    const before = await as('alice')
    await before.subscribe(['secret', 'open', '$share/g/secret'], { qos: 1 })
    await before.vanish()
    names.rules = [{ effect: 'deny', access: 'subscribe', filter: 'secret' }, ALL]
    const alice = await as('alice')
    expect(alice.sessionPresent).to.equal(true)
    const publisher = await as('somebody', 'publisher')
    await publisher.publishAcknowledged('secret', 'no')
    await publisher.publishAcknowledged('open', 'yes')
    expect(texts(await alice.messages())).to.deep.equal(['yes'])
    expect(await alice.unsubscribe('secret', 'open', '$share/g/secret')).to.deep.equal([0x11, 0, 0x11])
  })
})
