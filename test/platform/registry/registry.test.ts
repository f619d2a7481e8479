import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { keyHash } from '#platform/auth/keys.ts'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { PlatformError, type PlatformErrorCode } from '#platform/errors.ts'
import { Registry } from '#platform/registry/registry.ts'
import { device as deviceTable } from '#platform/registry/tables.ts'
import type { Conditional, Store } from '#platform/store/store.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { noon, TestClock } from '../telemetry/fixture.ts'

async function refusal(promise: Promise<unknown>): Promise<PlatformErrorCode | 'none'> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof PlatformError) return error.code
    throw error
  }
}

describe('registry: who exists and by which keys', () => {
  let store: MemoryStore
  let clock: TestClock
  let registry: Registry

  beforeEach(async () => {
    clock = new TestClock()
    store = new MemoryStore({ clock })
    registry = new Registry(store, clock)
    await registry.organisations.create({ id: 'acme' })
    await registry.organisations.create({ id: 'other' })
  })

  describe('organisations', () => {
    it('keep what they were created with, across restarts', async () => {
      const acl = [{ effect: 'deny', access: 'all', filter: '#' }] as const
      const { token } = await registry.organisations.create({ id: 'iot', name: 'IoT Ltd', user: 'Uabc', acl })
      const again = new Registry(store, clock)
      const found = await again.organisations.get('iot')
      expect(found).to.deep.include({ id: 'iot', name: 'IoT Ltd', user: 'Uabc', acl, createdAt: noon })
      expect((await again.findKey(token))?.kind).to.equal('token')
    })

    for (const id of ['', 'A', 'a_b', '-a', 'a-', 'a/b', 'ä', 'x'.repeat(64)]) {
      it(`refuse the id "${id.slice(0, 8)}"`, async () => {
        expect(await refusal(registry.organisations.create({ id }))).to.equal('invalid_field')
      })
    }

    it('are made once, also when two try at the same time', async () => {
      expect(await refusal(registry.organisations.create({ id: 'acme' }))).to.equal('organisation_exists')
      const both = await Promise.all([1, 2].map(() => refusal(registry.organisations.create({ id: 'new' }))))
      expect(both.toSorted()).to.deep.equal(['none', 'organisation_exists'])
    })

    it('do not share an IoT Guru user id', async () => {
      const { user } = await registry.organisations.get('acme')
      expect(await refusal(registry.organisations.create({ id: 'thief', user }))).to.equal('user_taken')
    })

    it('are not deleted while they have devices, and never come back', async () => {
      await registry.devices.create('acme', { name: 'a' })
      expect(await refusal(registry.organisations.delete('acme'))).to.equal('organisation_not_empty')
      await registry.deleteDevice('acme', 'a')
      await registry.organisations.delete('acme')
      expect(await refusal(registry.organisations.get('acme'))).to.equal('organisation_not_found')
      expect(await refusal(registry.organisations.create({ id: 'acme' }))).to.equal('organisation_exists')
      const { organisations } = await registry.organisations.list({ limit: 10 })
      expect(organisations.map(({ id }) => id)).to.deep.equal(['other'])
    })

    it('lose the old token when they get a new one, and all when they are deleted', async () => {
      const { token } = await registry.organisations.create({ id: 'iot' })
      const next = await registry.organisations.rotateToken('iot')
      expect(await registry.findKey(token)).to.equal(undefined)
      expect((await registry.findKey(next))?.kind).to.equal('token')
      await registry.organisations.delete('iot')
      expect(await registry.findKey(next)).to.equal(undefined)
    })

    it('are listed page by page, each once', async () => {
      for (let i = 0; i < 10; i++) await registry.organisations.create({ id: `o${i}` })
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await registry.organisations.list({ limit: 3, cursor })
        seen.push(...page.organisations.map(({ id }) => id))
        cursor = page.cursor ?? undefined
      } while (cursor !== undefined)
      expect(seen.toSorted()).to.deep.equal([
        'acme',
        'o0',
        'o1',
        'o2',
        'o3',
        'o4',
        'o5',
        'o6',
        'o7',
        'o8',
        'o9',
        'other',
      ])
    })

    it('refuse rules with a bad filter', async () => {
      const acl = [{ effect: 'allow', access: 'all', filter: 'a/#/b' }] as const
      expect(await refusal(registry.organisations.update('acme', { acl }))).to.equal('invalid_field')
      expect((await registry.organisations.get('acme')).acl).to.equal(null)
    })
  })

  describe('devices', () => {
    it('are found by id and by name, and only in their organisation', async () => {
      const { device } = await registry.devices.create('acme', { name: 'a' })
      expect(await registry.devices.get('acme', 'a')).to.deep.equal(device)
      expect(await registry.devices.get('acme', device.id)).to.deep.equal(device)
      expect(await refusal(registry.devices.get('other', 'a'))).to.equal('device_not_found')
      expect(await refusal(registry.devices.get('other', device.id))).to.equal('device_not_found')
      expect(await refusal(registry.devices.rotateKey('other', device.id))).to.equal('device_not_found')
      expect(await refusal(registry.deleteDevice('other', device.id))).to.equal('device_not_found')
    })

    it('may have the same name in two organisations', async () => {
      const one = await registry.devices.create('acme', { name: 'a' })
      const two = await registry.devices.create('other', { name: 'a' })
      expect(one.device.id).to.not.equal(two.device.id)
      expect((await registry.findKey(two.key))?.organisation.id).to.equal('other')
    })

    it('have a name once in an organisation, also when two are created at the same time', async () => {
      const both = await Promise.all(
        [1, 2].map(() => refusal(registry.devices.create('acme', { name: 'a' }))),
      )
      expect(both.toSorted()).to.deep.equal(['name_taken', 'none'])
    })

    it('give their name free when they are deleted', async () => {
      const first = await registry.devices.create('acme', { name: 'a' })
      await registry.deleteDevice('acme', 'a')
      const second = await registry.devices.create('acme', { name: 'a' })
      expect(second.device.id).to.not.equal(first.device.id)
      expect(await registry.findKey(first.key)).to.equal(undefined)
    })

    it('get a name that a creation took and never used, but not at once', async () => {
      const failing = new Registry(failingOn(store, deviceTable.name), clock)
      await failing.devices.create('acme', { name: 'a' }).catch(() => 0)
      expect(await refusal(registry.devices.create('acme', { name: 'a' }))).to.equal('name_taken')
      clock.time += 61_000
      expect(await refusal(registry.devices.create('acme', { name: 'a' }))).to.equal('none')
    })

    for (const name of ['', ' ', 'a b', 'a/b', '+', '#', '-a', 'ä', '$a', 'x'.repeat(65)]) {
      it(`refuse the name "${name.slice(0, 8)}"`, async () => {
        expect(await refusal(registry.devices.create('acme', { name }))).to.equal('invalid_field')
      })
    }

    it('are told apart: no name is the id of another', async () => {
      const { device } = await registry.devices.create('acme', { name: 'a' })
      const id = device.id.replace(/^[_-]/, 'x')
      await registry.devices.create('acme', { name: 'b', id: 'IdOfB' })
      expect(await refusal(registry.devices.create('acme', { name: 'IdOfB' }))).to.equal('name_taken')
      expect(await refusal(registry.devices.create('acme', { name: 'c', id: 'a' }))).to.equal('id_taken')
      expect(await refusal(registry.devices.create('acme', { name: 'd', id: 'IdOfB' }))).to.equal('id_taken')
      expect(await refusal(registry.devices.create('acme', { name: 'd', id }))).to.be.oneOf([
        'id_taken',
        'none',
      ])
    })

    it('leave their name free when their creation is refused', async () => {
      await registry.devices.create('acme', { name: 'b', id: 'IdOfB' })
      expect(await refusal(registry.devices.create('acme', { name: 'd', id: 'IdOfB' }))).to.equal('id_taken')
      expect(await refusal(registry.devices.create('acme', { name: 'd' }))).to.equal('none')
    })

    it('bring their IoT Guru id and key along, and nobody takes over a key in use', async () => {
      const key = 'KeyKeyKeyKeyKeyKeyKey1'
      const moved = await registry.devices.create('acme', { name: 'old', id: 'OldId', key })
      expect(moved).to.deep.include({ key })
      expect(moved.device.id).to.equal('OldId')
      expect(await refusal(registry.devices.create('other', { name: 'thief', key }))).to.equal('key_taken')
      expect((await registry.findKey(key))?.organisation.id).to.equal('acme')
      await registry.devices.rotateKey('acme', 'old')
      expect(await refusal(registry.devices.create('other', { name: 'thief', key }))).to.equal('none')
    })

    it('are listed by name, page by page, each once, and by prefix', async () => {
      const names = Array.from(
        { length: 40 },
        (_, i) => `${i % 2 ? 'odd' : 'even'}-${String(i).padStart(2, '0')}`,
      )
      for (const name of names) await registry.devices.create('acme', { name })
      await registry.devices.create('other', { name: 'stranger' })
      const seen: string[] = []
      let after: string | undefined
      do {
        const page = await registry.devices.list('acme', { limit: 7, after })
        seen.push(...page.devices.map(({ name }) => name))
        after = page.next ?? undefined
      } while (after !== undefined)
      expect(seen).to.deep.equal(names.toSorted())
      const odd = await registry.devices.list('acme', { limit: 100, prefix: 'odd-' })
      expect(odd).to.deep.include({ next: null })
      expect(odd.devices).to.have.length(20)
      const rest = await registry.devices.list('acme', { limit: 100, prefix: 'even-', after: 'even-30' })
      expect(rest.devices.map(({ name }) => name)).to.deep.equal(['even-32', 'even-34', 'even-36', 'even-38'])
    })

    it('store only the hash of their key', async () => {
      const { device, key } = await registry.devices.create('acme', { name: 'a' })
      expect(key).to.match(/^k_[0-9a-f]{32}$/)
      const row = await store.get(deviceTable, { org: 'acme', id: device.id })
      expect(JSON.stringify(row)).to.not.include(key)
      expect(Buffer.compare(row?.key_hash ?? Buffer.alloc(0), keyHash(key))).to.equal(0)
    })

    it('have one good key after two rotations at the same time', async () => {
      const { key } = await registry.devices.create('acme', { name: 'a' })
      const rotations = await Promise.allSettled([1, 2].map(() => registry.devices.rotateKey('acme', 'a')))
      const keys = rotations.flatMap((one) => (one.status === 'fulfilled' ? [one.value.key] : []))
      expect(keys).to.have.length(1)
      expect((await registry.findKey(keys[0]))?.kind).to.equal('device')
      expect(await registry.findKey(key)).to.equal(undefined)
    })

    it('tell who holds their connections when a key goes, after that is durable', async () => {
      const told: DeviceRef[] = []
      const { device, key } = await registry.devices.create('acme', { name: 'a' })
      let stillGood: Promise<unknown> = Promise.resolve('never asked')
      registry.onRevoked((ref) => {
        told.push(ref)
        stillGood = registry.findKey(key)
      })
      await registry.devices.rotateKey('acme', 'a')
      await nextTurn()
      expect(await stillGood).to.equal(undefined)
      await registry.deleteDevice('acme', 'a')
      await nextTurn()
      expect(told.map(({ id }) => id)).to.deep.equal([device.id, device.id])
    })

    it('go with what others keep of them', async () => {
      const purged: string[] = []
      registry.onDeleted(({ name }) => {
        purged.push(name)
        return Promise.resolve()
      })
      await registry.devices.create('acme', { name: 'a' })
      await registry.deleteDevice('acme', 'a')
      expect(purged).to.deep.equal(['a'])
    })

    it('are gone when that is reported, also where the deletion is older than their rows for the store: clocks are apart', async () => {
      await registry.devices.create('acme', { name: 'a', id: 'A', key: 'KeyKeyKeyKeyKeyKeyKey1' })
      let hidden = 2
      const behind = new Registry(
        around(store, { write: (batch) => (hidden-- > 0 ? Promise.resolve() : store.write(batch)) }),
        clock,
      )
      await behind.deleteDevice('acme', 'a')
      expect(await registry.devices.find('acme', 'A')).to.equal(undefined)
      expect(await registry.findKey('KeyKeyKeyKeyKeyKeyKey1')).to.equal(undefined)
      expect((await registry.devices.list('acme', { limit: 10 })).devices).to.deep.equal([])
    })

    it('are there when that is reported, also where an older deletion of the same id and name is newer for the store', async () => {
      const hidden = new Map<string, number>()
      const ahead = new Registry(
        around(store, {
          outcome: (table) => {
            const times = (hidden.get(table.name) ?? 0) + 1
            hidden.set(table.name, times)
            return times <= 2 ? 'applied' : undefined
          },
        }),
        clock,
      )
      const { key } = await ahead.devices.create('acme', {
        name: 'a',
        id: 'A',
        key: 'KeyKeyKeyKeyKeyKeyKey1',
      })
      expect((await registry.findKey(key))?.kind).to.equal('device')
      expect(
        (await registry.devices.list('acme', { limit: 10 })).devices.map(({ name }) => name),
      ).to.deep.equal(['a'])
    })

    it('are created once where the store does not say whether it wrote', async () => {
      const unsure = new Registry(unsureStore(store), clock)
      const { key } = await unsure.devices.create('acme', { name: 'a' })
      expect((await registry.findKey(key))?.kind).to.equal('device')
      expect(await refusal(unsure.devices.create('acme', { name: 'a' }))).to.equal('name_taken')
    })
  })

  describe('nodes', () => {
    it('have a key that is good for them only, until they or their device are deleted', async () => {
      const { device } = await registry.devices.create('acme', { name: 'a' })
      const one = await registry.nodes.create(device, { id: 'kitchen', name: 'Kitchen' })
      const two = await registry.nodes.create(device, {})
      expect(one.key).to.match(/^n_[0-9a-f]{32}$/)
      expect(await registry.findKey(one.key)).to.deep.include({ kind: 'node', node: 'kitchen' })
      expect((await registry.nodes.list(device)).map(({ id }) => id)).to.include('kitchen')
      await registry.nodes.delete(device, 'kitchen')
      expect(await registry.findKey(one.key)).to.equal(undefined)
      expect(await refusal(registry.nodes.delete(device, 'kitchen'))).to.equal('node_not_found')
      await registry.deleteDevice('acme', 'a')
      expect(await registry.findKey(two.key)).to.equal(undefined)
    })

    it('are unique in a device, bounded, and bring their ids and keys along', async () => {
      const { device } = await registry.devices.create('acme', { name: 'a' })
      const key = 'NodeNodeNodeNodeNode12'
      await registry.nodes.create(device, { id: 'n', key })
      expect(await registry.findKey(key)).to.deep.include({ kind: 'node', node: 'n' })
      expect(await refusal(registry.nodes.create(device, { id: 'n' }))).to.equal('node_exists')
      expect(await refusal(registry.nodes.create(device, { id: 'm', key }))).to.equal('key_taken')
      expect(await refusal(registry.nodes.create(device, { id: 'a/b' }))).to.equal('invalid_field')
      expect(await refusal(registry.nodes.create(device, { key: 'short' }))).to.equal('invalid_field')
      for (let i = 1; i < 256; i++) await registry.nodes.create(device, {})
      expect(await refusal(registry.nodes.create(device, {}))).to.equal('limit_reached')
    })
  })

  it('knows no key that is empty, endless or made up', async () => {
    for (const key of ['', 'k_', 'x'.repeat(10_000), `k_${'0'.repeat(32)}`]) {
      expect(await registry.findKey(key), key.slice(0, 8)).to.equal(undefined)
    }
  })
})

/** A store on which conditional puts of one table fail. */
function failingOn(store: Store, table: string): Store {
  return around(store, {
    outcome: (spec) => {
      if (spec.name === table) throw new Error('store away')
      return undefined
    },
  })
}

/** A store that does everything and never says so. */
function unsureStore(store: Store): Store {
  return around(store, {
    putIf: async (table, row, column, expected) => {
      await store.putIf(table, row, column, expected)
      return 'unknown'
    },
  })
}

function around(store: Store, changed: Partial<Store> & { outcome?: Outcome }): Store {
  const { outcome, ...rest } = changed
  return {
    get: (table, key) => store.get(table, key),
    range: (table, partition, range) => store.range(table, partition, range),
    write: (batch) => store.write(batch),
    scan: (table, cursor, limit) => store.scan(table, cursor, limit),
    close: () => store.close(),
    putIf: async (table, row, column, expected) =>
      outcome?.(table) ?? store.putIf(table, row, column, expected),
    ...rest,
  }
}

/** What a conditional put of this table says without being done; undefined: it is done. */
type Outcome = (table: { name: string }) => Conditional | undefined
