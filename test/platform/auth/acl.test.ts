import { expect } from 'chai'
import { type AclRule, AclRules, type AclSubject } from '#platform/auth/acl.ts'
import { defaultDeviceAcl } from '#platform/auth/device-acl.ts'
import type { Access, Acl } from '#platform/auth/principal.ts'

const someone: AclSubject = { username: 'ada', clientId: 'c1', device: 'D1', name: 'thermo-1', user: 'U1' }

function aclOf(rules: readonly AclRule[], subject: Partial<AclSubject> = {}): Acl {
  return new AclRules(rules).for({ ...someone, ...subject })
}
const allow = (filter: string, access: AclRule['access'] = 'all'): AclRule => ({
  effect: 'allow',
  access,
  filter,
})
const deny = (filter: string, access: AclRule['access'] = 'all'): AclRule => ({
  effect: 'deny',
  access,
  filter,
})

describe('access lists', () => {
  const table: [name: string, rules: AclRule[], access: Access, topic: string, allowed: boolean][] = [
    ['no rule denies', [], 'publish', 'a', false],
    ['a rule for the other access does not count', [allow('a', 'subscribe')], 'publish', 'a', false],
    ['a wildcard allows', [allow('a/#')], 'publish', 'a/b/c', true],
    ['a/# is also a', [allow('a/#')], 'publish', 'a', true],
    ['the first match wins: allow', [allow('a/b'), deny('a/#')], 'publish', 'a/b', true],
    ['the first match wins: deny', [deny('a/b'), allow('a/#')], 'publish', 'a/b', false],
    ['a later deny does not take back', [allow('#'), deny('a')], 'publish', 'a', true],
    ['# does not open $SYS to publishers', [allow('#')], 'publish', '$SYS/x', false],
    ['# does not open $SYS to subscribers', [allow('#')], 'subscribe', '$SYS/#', false],
    ['+ does not open $SYS', [allow('+/#')], 'subscribe', '$SYS/broker', false],
    ['a rule of its own opens $SYS', [allow('$SYS/#')], 'subscribe', '$SYS/broker/+', true],
    ['all of a filter must be allowed', [allow('a/b')], 'subscribe', 'a/+', false],
    ['one rule must cover it, not several together', [allow('a/b'), allow('a/c')], 'subscribe', 'a/+', false],
    ['a covered filter is allowed', [allow('a/#')], 'subscribe', 'a/+/c', true],
    [
      'a filter that reaches into a denied one is denied',
      [deny('a/secret'), allow('a/#')],
      'subscribe',
      'a/+',
      false,
    ],
    ['a filter beside a denied one is allowed', [deny('a/secret'), allow('a/#')], 'subscribe', 'a/b/+', true],
    ['# reaches into everything', [deny('a/secret'), allow('#')], 'subscribe', '#', false],
    ['# does not reach into $SYS', [deny('$SYS/#'), allow('#')], 'subscribe', '#', true],
    ['a shared filter is checked as what it shares', [allow('a/#')], 'subscribe', '$share/g/a/b', true],
    ['a shared filter opens nothing', [allow('a/#')], 'subscribe', '$share/g/b', false],
    ['a shared filter does not open $SYS', [allow('#')], 'subscribe', '$share/g/$SYS/#', false],
    ['a group of any name changes nothing', [allow('a/#')], 'subscribe', '$share/a/#', false],
    ['%u is the user name', [allow('u/%u/#')], 'publish', 'u/ada/x', true],
    ['%u is nobody else', [allow('u/%u/#')], 'publish', 'u/bob/x', false],
    ['%c within a level', [allow('clients/c-%c')], 'publish', 'clients/c-c1', true],
    [
      '${device}, ${name} and ${user}',
      [allow('${user}/${device}/${name}')],
      'publish',
      'U1/D1/thermo-1',
      true,
    ],
  ]
  for (const [name, rules, access, topic, allowed] of table) {
    it(name, () => {
      expect(aclOf(rules).check(access, topic)).to.equal(allowed)
      expect(aclOf(rules).explain(access, topic).allowed).to.equal(allowed)
    })
  }

  describe('a client cannot widen its rights by what it calls itself', () => {
    const evil = ['#', '+', 'a/b', '/', '+/+', 'x/#', '', '\0']
    for (const value of evil) {
      it(`client id ${JSON.stringify(value)} makes an allow rule void`, () => {
        const acl = aclOf([allow('clients/%c/in')], { clientId: value })
        for (const topic of [
          'clients/other/in',
          'clients/in',
          `clients/${value}/in`,
          'clients/#',
          'clients/a/b/in',
        ]) {
          expect(acl.check('publish', topic), topic).to.equal(false)
          expect(acl.check('subscribe', topic), topic).to.equal(false)
        }
      })

      it(`client id ${JSON.stringify(value)} does not slip past a deny rule`, () => {
        const acl = aclOf([deny('clients/%c/secret'), allow('#')], { clientId: value })
        expect(acl.check('publish', `clients/${value}/secret`)).to.equal(false)
        expect(acl.check('publish', 'elsewhere')).to.equal(true)
      })
    }

    it('a first level that becomes $SYS by a placeholder is void', () => {
      const acl = aclOf([allow('%c/#')], { clientId: '$SYS' })
      expect(acl.check('subscribe', '$SYS/#')).to.equal(false)
      expect(acl.check('publish', '$SYS/x')).to.equal(false)
    })

    it('a value is not looked through for placeholders', () => {
      const acl = aclOf([allow('u/%u/%c')], { username: '%c', clientId: 'x' })
      expect(acl.check('publish', 'u/x/x')).to.equal(false)
      expect(acl.check('publish', 'u/%c/x')).to.equal(true)
    })

    it('who has no device does not match ${device}', () => {
      const acl = aclOf([allow('d/${device}/#')], { device: undefined })
      expect(acl.check('publish', 'd//x')).to.equal(false)
      expect(acl.check('publish', 'd/undefined/x')).to.equal(false)
    })
  })

  it('explains by rule number what it decided', () => {
    const acl = aclOf([allow('a/%c/#'), deny('secret/#'), allow('b', 'subscribe')])
    expect(acl.explain('publish', 'a/c1/x').reason).to.equal('rule 1: allow all a/%c/# (here a/c1/#)')
    expect(acl.explain('subscribe', '#').reason).to.equal('rule 2: deny all secret/# (here secret/#)')
    expect(acl.explain('publish', 'b').reason).to.equal('no rule allows to publish to b')
    expect(acl.explain('subscribe', 'c/+').reason).to.equal('no rule allows to subscribe to all of c/+')
  })

  for (const filter of ['', 'a/#/b', 'a#', 'a/b+', '#/', '++']) {
    it(`refuses the rule filter "${filter}" by its number`, () => {
      expect(() => new AclRules([allow('ok'), allow(filter)])).to.throw(RangeError, 'acl[1].filter')
    })
  }

  it('bounds the rules', () => {
    expect(() => new AclRules(Array.from({ length: 257 }, () => allow('a')))).to.throw(
      RangeError,
      '257 rules',
    )
  })

  describe('the default rules of devices', () => {
    const cases: [Access, string, boolean][] = [
      ['publish', 'v1/devices/me/telemetry', true],
      ['publish', 'v1/devices/me/attributes', true],
      ['publish', 'v1/devices/me/rpc/response/7', true],
      ['publish', 'v1/devices/me/twin/reported', true],
      ['subscribe', 'v1/devices/me/rpc/request/+', true],
      ['subscribe', 'v1/devices/me/#', true],
      ['subscribe', 'v1/devices/#', false],
      ['publish', 'v1/devices/D2/telemetry', false],
      ['publish', 'pub/U1/D1/kitchen/temp', true],
      ['publish', 'pub/U1/D2/kitchen/temp', false],
      ['publish', 'pub/U2/D1/kitchen/temp', false],
      ['subscribe', 'pub/U1/D1/#', false],
      ['subscribe', 'sub/U1/D1/#', true],
      ['subscribe', 'sub/U1/D2/#', false],
      ['subscribe', 'sub/U1/+/#', false],
      ['publish', 'sub/U1/D1/kitchen/led', false],
      ['publish', 'home/kitchen', true],
      ['subscribe', 'home/#', true],
      ['subscribe', '#', false],
      ['subscribe', '+/+/+/+', false],
      ['subscribe', '$SYS/#', false],
      ['subscribe', '$share/g/home/+', true],
      ['subscribe', '$share/g/#', false],
    ]
    for (const [access, topic, allowed] of cases) {
      it(`${allowed ? 'allow' : 'deny'} to ${access} ${topic}`, () => {
        expect(aclOf(defaultDeviceAcl).check(access, topic)).to.equal(allowed)
      })
    }
  })
})
