import { expect } from 'chai'
import { type Access, gateAccess, mayTouchDevice } from '#api/access.ts'
import type { Caller } from '#api/callers.ts'
import type { Problem } from '#api/problems.ts'
import { AclRules } from '#platform/auth/acl.ts'
import { type Role, roles } from '#platform/identity/roles.ts'
import type { Organisation } from '#platform/registry/organisations.ts'

const organisation: Organisation = {
  id: 'acme',
  name: 'acme',
  user: 'u',
  acl: null,
  rules: new AclRules([]),
  createdAt: 0,
  durability: 'local',
  version: 1,
}
const signedIn = { user: { id: 'u1', email: 'a@example.com', name: 'A' }, session: 's1', platform: false }
const device = { org: 'acme', id: 'd1', name: 'thermo' }

function user(role: Role, groups: string[] | null = null): Caller {
  return { kind: 'user', ...signedIn, organisation, role, groups, elevated: false }
}

function key(role: Role, scopes: string[] | null = null, groups: string[] | null = null): Caller {
  return { kind: 'key', key: { id: 'k1', name: 'ci', expires: false }, organisation, role, scopes, groups }
}

function may(caller: Caller, access: Access, route: Partial<Parameters<typeof gateAccess>[1]> = {}): boolean {
  try {
    gateAccess(caller, { access, method: 'get', path: '/v1/devices/{device}', tag: 'devices', ...route })
    return true
  } catch (error) {
    expect((error as Problem).code).to.be.oneOf(['forbidden', 'organisation_not_found'])
    return false
  }
}

describe('Access to routes', () => {
  const all: Access[] = ['public', ...roles, 'device', 'device-only', 'user', 'platform']
  const table: [string, Caller, Access[]][] = [
    ['the platform token', { kind: 'platform' }, ['public', ...roles, 'device', 'platform']],
    ["an organisation's token", { kind: 'organisation', organisation }, ['public', ...roles, 'device']],
    ['a viewer', user('viewer'), ['public', 'viewer', 'device', 'user']],
    ['an operator', user('operator'), ['public', 'viewer', 'operator', 'device', 'user']],
    ['a developer', user('developer'), ['public', 'viewer', 'operator', 'developer', 'device', 'user']],
    ['an admin', user('admin'), ['public', ...roles, 'device', 'user']],
    ['a user of no organisation', { kind: 'stranger', ...signedIn }, ['public', 'user']],
    ['an API key of a developer', key('developer'), ['public', 'viewer', 'operator', 'developer', 'device']],
    ['a device', { kind: 'device', organisation, device }, ['public', 'device', 'device-only']],
  ]
  for (const [who, caller, allowed] of table) {
    it(`lets ${who} use what it may, and nothing else`, () => {
      expect(all.filter((access) => may(caller, access))).to.have.members(allowed)
    })
  }

  it("lets an administrator of the platform do the platform's own things", () => {
    expect(may({ kind: 'stranger', ...signedIn, platform: true }, 'platform')).to.equal(true)
  })

  it('keeps an API key within its scopes: a leaked dashboard key must not change anything', () => {
    const reader = key('admin', ['devices:read'])
    expect(may(reader, 'viewer')).to.equal(true)
    expect(may(reader, 'developer', { method: 'post' })).to.equal(false)
    expect(may(reader, 'viewer', { tag: 'clients' })).to.equal(false)
    expect(may(key('viewer', ['*:read']), 'viewer', { tag: 'clients' })).to.equal(true)
    expect(may(key('viewer', ['*:write']), 'operator', { method: 'post' })).to.equal(false)
  })

  it('keeps who was granted some groups away from what is about the whole organisation', () => {
    for (const caller of [user('admin', ['g1']), key('admin', null, ['g1'])]) {
      expect(may(caller, 'viewer')).to.equal(true)
      expect(may(caller, 'viewer', { path: '/v1/devices' })).to.equal(false)
      expect(may(caller, 'viewer', { path: '/v1/devices', byGroup: true })).to.equal(true)
    }
  })

  it('shows only devices of the granted groups', () => {
    const caller = user('viewer', ['g1'])
    expect(mayTouchDevice(caller, { id: 'd1', groups: ['g0', 'g1'] })).to.equal(true)
    expect(mayTouchDevice(caller, { id: 'd1', groups: ['g2'] })).to.equal(false)
    expect(mayTouchDevice(caller, { id: 'd1' })).to.equal(false)
    expect(mayTouchDevice(user('viewer', []), { id: 'd1', groups: ['g1'] })).to.equal(false)
    expect(mayTouchDevice(user('viewer'), { id: 'd1' })).to.equal(true)
    expect(mayTouchDevice({ kind: 'device', organisation, device }, { id: 'd2' })).to.equal(false)
  })
})
