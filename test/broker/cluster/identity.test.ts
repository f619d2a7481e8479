import { expect } from 'chai'
import {
  apiKey,
  apiKeyByHash,
  signingKey,
  userAccount,
  userPassword,
  userSession,
} from '#platform/identity/tables.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { Batch, type Store } from '#platform/store/store.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { PlatformCell, type PlatformMember } from './platform-cell.ts'

const password = 'correct horse battery'
const seen = { address: '192.0.2.1' }
const keyInput = {
  name: 'ci',
  role: 'viewer',
  scopes: null,
  groups: null,
  createdBy: 'x',
  expiresAt: null,
} as const

describe('what processes tell each other of people and API keys', () => {
  let cell: PlatformCell
  let a: PlatformMember
  let b: PlatformMember
  let shared: MemoryStore
  beforeEach(async () => {
    cell = new PlatformCell()
    shared = new MemoryStore({})
    ;[a, b] = await Promise.all([cell.start(1, shared), cell.start(2, shared)])
  })
  afterEach(() => cell.stop())

  async function signIn(member: PlatformMember): Promise<{ user: string; session: string; access: string }> {
    const { identity } = member.platform
    const { id } = await identity.users.create({ email: 'ann@example.com', password })
    const epoch = await identity.users.epochOf(id)
    return identity.sessions.begin(id, epoch ?? '', seen)
  }

  it('an API key that is revoked at one is refused at the other when that is reported', async () => {
    const { key, secret } = await a.platform.identity.apiKeys.create('default', keyInput)
    const atB = b.platform.identity.apiKeys
    expect((await atB.use(secret, ''))?.id).to.equal(key.id)
    await a.platform.identity.apiKeys.revoke('default', key.id)
    expect(await atB.use(secret, '')).to.equal(undefined)
  })

  it('a session that is begun at one is known at the other, and is over there when that is reported', async () => {
    const { user, session, access } = await signIn(a)
    expect((await b.platform.identity.signedIn(access))?.user.id).to.equal(user)
    await a.platform.identity.sessions.end(user, session, 'revoked')
    expect(await b.platform.identity.signedIn(access)).to.equal(undefined)
  })

  it('a member whose role is changed at one has it at the other at once', async () => {
    const { user, access } = await signIn(a)
    const role = async (): Promise<string | undefined> =>
      (await b.platform.identity.signedIn(access))?.memberships[0]?.role
    await a.platform.identity.memberships.put('default', user, { role: 'admin', groups: null })
    await a.platform.identity.changed({ user })
    expect(await role()).to.equal('admin')
    await a.platform.identity.memberships.put('default', user, { role: 'viewer', groups: null })
    await a.platform.identity.changed({ user })
    expect(await role()).to.equal('viewer')
  })

  it('what was ended is refused also where the store has not heard of it yet', async () => {
    const { user, session, access } = await signIn(a)
    const { key, secret } = await a.platform.identity.apiKeys.create('default', keyInput)
    const late = new MemoryStore({})
    for (const table of [userAccount, userPassword, userSession, signingKey, apiKey, apiKeyByHash])
      await copy(table, shared, late)
    const c = await cell.start(2, late)
    expect((await c.platform.identity.signedIn(access))?.user.id).to.equal(user)
    expect((await c.platform.identity.apiKeys.use(secret, ''))?.id).to.equal(key.id)
    await a.platform.identity.sessions.end(user, session, 'revoked')
    await a.platform.identity.apiKeys.revoke('default', key.id)
    expect(await c.platform.identity.signedIn(access)).to.equal(undefined)
    expect(await c.platform.identity.apiKeys.use(secret, '')).to.equal(undefined)
  })
})

async function copy(table: AnyTable, from: Store, to: Store): Promise<void> {
  const { rows } = await from.scan(table, null, 1000)
  const batch = new Batch()
  for (const row of rows) batch.put(table, row)
  await to.write(batch)
}
