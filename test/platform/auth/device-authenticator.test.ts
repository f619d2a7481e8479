import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import { AuthenticatorChain } from '#platform/auth/chain.ts'
import { DeviceAuthenticator, DevicePrincipal } from '#platform/auth/device-authenticator.ts'
import type { Authenticator, Credentials } from '#platform/auth/principal.ts'
import type { Device } from '#platform/registry/device-record.ts'
import { keyHash } from '#platform/auth/keys.ts'
import { Registry } from '#platform/registry/registry.ts'
import { openTestPlatform, type TestPlatform } from '../telemetry/fixture.ts'

const cert = (cn: string, sans: string[] = []): Credentials['certificate'] => ({
  cn,
  sans,
  fingerprint: '00',
})

describe('devices prove who they are', () => {
  let platform: TestPlatform
  let authenticator: DeviceAuthenticator
  let device: Device
  let key: string
  let user: string

  beforeEach(async () => {
    platform = await openTestPlatform()
    authenticator = new DeviceAuthenticator(platform.registry, platform.clock, {
      certificateOrganisation: platform.organisation,
    })
    ;({ device, key } = await platform.registry.devices.create(platform.organisation, { name: 'thermo-1' }))
    ;({ user } = await platform.registry.organisations.get(platform.organisation))
  })
  afterEach(() => platform.close())

  function credentials(given: Partial<Omit<Credentials, 'password'>> & { password?: string }): Credentials {
    const { password, ...rest } = given
    const secret = password === undefined ? {} : { password: Buffer.from(password) }
    return { clientId: 'c1', remoteAddress: '127.0.0.1', ...rest, ...secret }
  }

  async function who(
    given: Parameters<typeof credentials>[0],
    by: Authenticator = authenticator,
  ): Promise<string> {
    const outcome = await by.authenticate(credentials(given))
    return 'denied' in outcome
      ? `${outcome.denied}: ${outcome.explanation}`
      : (outcome.device?.name ?? outcome.username)
  }

  it('by key, with name, id or no user name', async () => {
    for (const username of [undefined, '', 'thermo-1', device.id]) {
      expect(await who({ username, password: key })).to.equal('thermo-1')
    }
  })

  it('by key as the IoT Guru library does: user id as user name, device id as client id', async () => {
    expect(await who({ username: user, clientId: device.id, password: key })).to.equal('thermo-1')
    expect(await who({ username: user, clientId: 'other', password: key })).to.include(
      'must be the device id',
    )
  })

  it('by an imported IoT Guru key of 22 characters', async () => {
    const imported = 'AbCdEfGhIjKlMnOpQrStUv'
    await platform.registry.devices.create(platform.organisation, {
      name: 'old',
      id: 'OldOldOldOldOldOldOld1',
      key: imported,
    })
    expect(await who({ username: user, clientId: 'OldOldOldOldOldOldOld1', password: imported })).to.equal(
      'old',
    )
  })

  const refused: [name: string, given: Parameters<typeof credentials>[0], words: string][] = [
    ['an unknown key', { username: 'thermo-1', password: `k_${'0'.repeat(32)}` }, 'no device has this key'],
    ['no key', { username: 'thermo-1' }, 'no device key'],
    ['an empty key', { username: 'thermo-1', password: '' }, 'no device key'],
    ['a very long key', { username: 'thermo-1', password: 'k'.repeat(10_000) }, 'too long'],
  ]
  for (const [name, given, words] of refused) {
    it(`refuses ${name} and says why`, async () => {
      expect(await who(given)).to.match(new RegExp(`^bad_credentials: .*${words}`))
    })
  }

  it("refuses a key with another device's name", async () => {
    await platform.registry.devices.create(platform.organisation, { name: 'thermo-2' })
    expect(await who({ username: 'thermo-2', password: key })).to.include('belongs to another device')
  })

  it("does not take an organisation's token or a node key for a device key", async () => {
    const { token } = await platform.registry.organisations.create({ id: 'acme' })
    const node = await platform.registry.nodes.create(device, {})
    expect(await who({ password: token })).to.include('no device has this key')
    expect(await who({ password: node.key })).to.include('no device has this key')
  })

  it('answers at once the second time, so that 10,000 devices can come back in a second', async () => {
    await who({ password: key })
    expect(authenticator.authenticate(credentials({ password: key }))).to.be.instanceOf(DevicePrincipal)
  })

  it('refuses the old key at once after a rotation, and takes the new one', async () => {
    await who({ password: key })
    const rotated = await platform.registry.devices.rotateKey(device.org, device.id)
    expect(await who({ password: key })).to.include('no device has this key')
    expect(await who({ password: rotated.key })).to.equal('thermo-1')
  })

  it('refuses the key and the certificate of a deleted device at once', async () => {
    await who({ password: key })
    await who({ certificate: cert('thermo-1') })
    await platform.registry.deleteDevice(device.org, device.id)
    expect(await who({ password: key })).to.include('no device has this key')
    expect(await who({ certificate: cert('thermo-1') })).to.include('names no device')
  })

  it('does not keep a key that is rotated while it is looked up', async () => {
    const first = authenticator.authenticate(credentials({ password: key }))
    const rotation = platform.registry.devices.rotateKey(device.org, device.id)
    await Promise.all([first, rotation])
    expect(await who({ password: key })).to.include('no device has this key')
  })

  it('has decided on everybody who came with the old key before connections are told to close', async () => {
    for (let i = 0; i < 50; i++) {
      const { key: own, device: one } = await platform.registry.devices.create(device.org, {
        name: `racer-${i}`,
      })
      const events: string[] = []
      platform.registry.onRevoked(({ id }) => id === one.id && events.push('close'))
      const rotation = platform.registry.devices.rotateKey(one.org, one.id)
      for (let turn = 0; turn < i; turn++) await Promise.resolve()
      const outcome = await authenticator.authenticate(credentials({ password: own }))
      if ('acl' in outcome) events.push('let in')
      await rotation
      await nextTurn()
      expect(events.at(-1), `let in after the close, ${i} microtasks on`).to.equal('close')
    }
  })

  it('forgets the oldest when it knows as many as it may, and still knows them by asking again', async () => {
    const small = new DeviceAuthenticator(platform.registry, platform.clock, { cacheSize: 2 })
    const keys = [key]
    for (const name of ['b', 'c']) {
      keys.push((await platform.registry.devices.create(platform.organisation, { name })).key)
    }
    for (const password of [...keys, ...keys])
      expect(await who({ password }, small)).to.match(/^(thermo-1|b|c)$/)
    await platform.registry.devices.rotateKey(device.org, device.id)
    expect(await who({ password: key }, small)).to.include('no device has this key')
  })

  it('asks again after 5 minutes, should another process have changed something and not have said so', async () => {
    await who({ password: key })
    const other = new Registry(platform.store, platform.clock)
    await other.devices.rotateKey(device.org, device.id)
    platform.clock.time += 299_000
    expect(await who({ password: key })).to.equal('thermo-1')
    platform.clock.time += 2000
    expect(await who({ password: key })).to.include('no device has this key')
  })

  it('refuses what another process says is gone, also if the store here still has it, and keeps no old rules', async () => {
    await who({ password: key })
    const { org, id, name } = device
    platform.registry.heardKeyGone({ org, id, name, hash: keyHash(key) })
    expect(await who({ password: key })).to.include('no device has this key')
    expect(await who({ certificate: cert('thermo-1') })).to.equal('thermo-1')
    platform.registry.heardKeyGone({ org, id, name, deletedAt: platform.clock.now() })
    expect(await who({ certificate: cert('thermo-1') })).to.include('names no device')
  })

  it('by certificate: CN is the name or the id', async () => {
    expect(await who({ certificate: cert('thermo-1') })).to.equal('thermo-1')
    expect(await who({ certificate: cert(device.id), username: '' })).to.equal('thermo-1')
    expect(await who({ certificate: cert('nobody') })).to.include('names no device')
    expect(await who({ certificate: cert('thermo-1'), username: 'thermo-2' })).to.include(
      'the user name is "thermo-2"',
    )
  })

  it('by certificate: SAN only where that is configured', async () => {
    const bySan = new DeviceAuthenticator(platform.registry, platform.clock, {
      certificateOrganisation: platform.organisation,
      certificateIdentity: 'san',
    })
    expect(await who({ certificate: cert('x', ['y', 'thermo-1']) }, bySan)).to.equal('thermo-1')
    expect(await who({ certificate: cert('thermo-1') }, bySan)).to.include('names no device')
    expect(await who({ certificate: cert('x', ['thermo-1']) })).to.include('names no device')
  })

  it('takes no certificate for a device of another organisation', async () => {
    await platform.registry.organisations.create({ id: 'acme' })
    await platform.registry.devices.create('acme', { name: 'pump' })
    expect(await who({ certificate: cert('pump') })).to.include('names no device')
  })

  it('gives a device the rules of its organisation, changed ones from its next connection on', async () => {
    const check = async (topic: string): Promise<boolean> => {
      const outcome = await authenticator.authenticate(credentials({ password: key }))
      return 'acl' in outcome && outcome.acl.check('publish', topic)
    }
    expect(await check(`pub/${user}/${device.id}/n/f`)).to.equal(true)
    expect(await check('free')).to.equal(true)
    const acl = [{ effect: 'allow', access: 'publish', filter: 'only/${name}' }] as const
    await platform.registry.organisations.update(platform.organisation, { acl })
    expect(await check('free')).to.equal(false)
    expect(await check('only/thermo-1')).to.equal(true)
    await platform.registry.organisations.update(platform.organisation, { acl: null })
    expect(await check('free')).to.equal(true)
  })

  describe('in a chain with configured users', () => {
    let chain: AuthenticatorChain

    beforeEach(() => {
      const configured = new ConfigAuthenticator({
        organisation: platform.organisation,
        anonymous: true,
        users: [{ username: 'ada', password: 'secret' }],
        acl: [],
      })
      chain = new AuthenticatorChain(configured, authenticator)
    })

    it('knows users, devices and anonymous clients', async () => {
      expect(await who({ username: 'ada', password: 'secret' }, chain)).to.equal('ada')
      expect(await who({ username: 'thermo-1', password: key }, chain)).to.equal('thermo-1')
      expect(await who({ certificate: cert('thermo-1') }, chain)).to.equal('thermo-1')
      expect(await who({}, chain)).to.equal('')
    })

    it('never takes a wrong key for an anonymous client', async () => {
      expect(await who({ username: 'thermo-1', password: 'wrong' }, chain)).to.include('bad_credentials')
      expect(await who({ password: 'wrong' }, chain)).to.include('bad_credentials')
      expect(await who({ username: 'ada', password: key }, chain)).to.include('wrong password')
    })
  })
})
