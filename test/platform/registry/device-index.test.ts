import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import type { DeviceIndex } from '#platform/registry/device-index.ts'
import type { DeviceFilter } from '#platform/registry/device-query.ts'
import { parseSelector } from '#platform/registry/labels.ts'
import type { Registry } from '#platform/registry/registry.ts'
import { deviceEntry } from '#platform/registry/tables.ts'
import { Sightings } from '#platform/registry/sightings.ts'
import { Lanes } from '#platform/store/lanes.ts'
import type { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { deviceBucket } from '#platform/registry/device-record.ts'
import { noon, type Opened, RegistryFixture, silent } from './fixture.ts'

describe('devices are listed and searched', () => {
  let store: MemoryStore
  let clock: RegistryFixture['clock']
  let fixture: RegistryFixture
  let registry: Registry
  let index: DeviceIndex

  beforeEach(async () => {
    fixture = new RegistryFixture()
    ;({ store, clock } = fixture)
    ;({ registry, index } = open())
    for (const id of ['acme', 'other']) await registry.organisations.create({ id })
  })

  /** A process of its own on the same store. */
  function open(maxDevices?: number): Opened {
    return fixture.open({ maxDevices })
  }

  async function names(filter: DeviceFilter = {}, by = index, limit = 100): Promise<string[]> {
    const all: string[] = []
    let after: string | undefined
    do {
      const page = await by.search('acme', filter, { limit, after })
      all.push(...page.devices.map(({ name }) => name))
      after = page.next ?? undefined
    } while (after !== undefined)
    return all
  }

  /** What tells of devices that come and go. */
  function hearing(): { sightings: Sightings; durable: () => Promise<void> } {
    const lanes = new Lanes(store, silent)
    return {
      sightings: new Sightings(store, lanes, registry.entries),
      durable: () => lanes.of('acme').durable(),
    }
  }

  const floors = ['d1', 'd2', 'd3', 'd4', 'd5']

  async function some(): Promise<void> {
    await registry.groups.create('acme', { id: 'berlin' })
    await registry.groups.create('acme', { id: 'roof', parent: 'berlin' })
    for (const [i, name] of floors.entries()) {
      await registry.devices.create('acme', {
        name,
        labels: { floor: String(i), ...(i % 2 === 0 ? { even: '' } : {}) },
        groups: i === 4 ? ['roof'] : i === 0 ? ['berlin'] : [],
        profile: i < 2 ? 'thermo' : null,
        description: i === 3 ? 'in the Kitchen' : '',
      })
    }
  }

  const searches: [what: string, filter: DeviceFilter, found: string[]][] = [
    ['all by name', {}, floors],
    ['a prefix', { prefix: 'd3' }, ['d3']],
    ['a prefix that is nowhere', { prefix: 'x' }, []],
    ['text in a description, in whatever case', { text: 'KITCHEN' }, ['d4']],
    ["text in a label's value", { text: '2' }, ['d2', 'd3']],
    ['a label', { labels: parseSelector('floor=1') }, ['d2']],
    ['a label that is there, whatever it is', { labels: parseSelector('even') }, ['d1', 'd3', 'd5']],
    ['labels that are not', { labels: parseSelector('!even, floor!=1') }, ['d4']],
    ['a group', { groups: new Set(['berlin']) }, ['d1']],
    ['a profile', { profile: 'thermo' }, ['d1', 'd2']],
    ['what was granted', { granted: new Set(['roof']) }, ['d5']],
    ['nothing that was granted', { granted: new Set<string>() }, []],
    ['enabled ones', { enabled: false }, []],
  ]
  for (const [what, filter, found] of searches) {
    it(`by ${what}`, async () => {
      await some()
      expect(await names(filter)).to.deep.equal(found)
      expect(await names(filter, index, 1), 'page by page').to.deep.equal(found)
      expect(await names(filter, open().index), 'by another process').to.deep.equal(found)
      expect(await names(filter, open(2).index, 2), 'from the store').to.deep.equal(found)
    })
  }

  it('by text among many, also after changes of single ones', async () => {
    const inputs = Array.from({ length: 600 }, (_, i) => ({ name: `n${1000 + i}`, id: `id${i}`, key: null }))
    await registry.devices.createMany('acme', inputs)
    expect(await names({ text: 'N1300' })).to.deep.equal(['n1300'])
    expect(await names({ text: 'needle' })).to.deep.equal([])
    for (const name of ['n1000', 'n1255', 'n1256', 'n1599'])
      await registry.devices.update('acme', name, { description: 'a Needle' })
    expect(await names({ text: 'needle' }, index, 1)).to.deep.equal(['n1000', 'n1255', 'n1256', 'n1599'])
    await registry.devices.update('acme', 'n1256', { description: '' })
    expect(await names({ text: 'needle' })).to.deep.equal(['n1000', 'n1255', 'n1599'])
  })

  it('with all groups inside a group', async () => {
    await some()
    const groups = await registry.groups.withDescendants('acme', 'berlin')
    expect(await names({ groups })).to.deep.equal(['d1', 'd5'])
  })

  it('without those of another organisation, whose names are the same', async () => {
    await some()
    await registry.devices.create('other', { name: 'd1', description: 'secret' })
    expect(await names({ text: 'secret' })).to.deep.equal([])
    expect((await index.search('other', {}, { limit: 9 })).devices).to.have.length(1)
  })

  it('as another process of the datacenter has just left them, at once', async () => {
    await some()
    const far = open()
    expect(await names({}, far.index)).to.deep.equal(floors)
    await registry.devices.create('acme', { name: 'new' })
    expect(await names({}, far.index)).to.include('new')
    await registry.devices.update('acme', 'new', { name: 'newer', labels: { a: 'b' } })
    expect(await names({ labels: parseSelector('a=b') }, far.index)).to.deep.equal(['newer'])
    await registry.deleteDevice('acme', 'newer')
    expect(await names({}, far.index)).to.deep.equal(floors)
    clock.time += 3_600_000
    await registry.devices.update('acme', 'd1', { enabled: false })
    expect(await names({ enabled: false }, far.index), 'an hour later').to.deep.equal(['d1'])
  })

  it('each once and none left out, while devices come and go between pages', async () => {
    for (let i = 0; i < 50; i++) await registry.devices.create('acme', { name: `n${100 + i}` })
    const seen: string[] = []
    let after: string | undefined
    for (let page = 0; ; page++) {
      const { devices, next } = await index.search('acme', {}, { limit: 7, after })
      seen.push(...devices.map(({ name }) => name))
      if (next === null) break
      after = next
      await registry.devices.create('acme', { name: `a${page}` })
      await registry.deleteDevice('acme', seen[0 + page])
      await registry.devices.create('acme', { name: `z${page}` })
    }
    const original = seen.filter((name) => name.startsWith('n'))
    expect(original).to.have.length(50)
    expect(new Set(seen).size).to.equal(seen.length)
    expect(seen.filter((name) => name.startsWith('z'))).to.not.deep.equal([])
  })

  it('by when they were heard of and what they run', async () => {
    await some()
    const { sightings, durable } = hearing()
    const far = open()
    await names({}, far.index)
    const [d1, d2, d3] = await Promise.all(floors.map((name) => registry.devices.get('acme', name)))
    clock.time = noon + 1000
    sightings.seen(d1, true, clock.time)
    sightings.seen(d2, false, clock.time)
    sightings.firmware(d3, '1.2.3', clock.time)
    await durable()
    clock.time = noon + 60_000
    for (const by of [index, far.index, open().index, open(1).index]) {
      expect(await names({ online: true }, by)).to.deep.equal(['d1'])
      expect(await names({ online: false }, by)).to.deep.equal(['d2', 'd3', 'd4', 'd5'])
      expect(await names({ seenAfter: noon + 500 }, by)).to.deep.equal(['d1', 'd2'])
      expect(await names({ seenBefore: noon + 500 }, by)).to.deep.equal(['d3', 'd4', 'd5'])
      expect(await names({ seenBefore: noon }, by), 'made later than that').to.deep.equal([])
      expect(await names({ firmware: '1.2.3' }, by)).to.deep.equal(['d3'])
    }
    sightings.seen(d1, false, clock.time)
    await durable()
    expect(await names({ online: true }, far.index)).to.deep.equal([])
  })

  it('by when they were heard of over HTTP, which says nothing of their connections', async () => {
    await some()
    const { sightings, durable } = hearing()
    const [d1, d2] = await Promise.all(floors.map((name) => registry.devices.get('acme', name)))
    clock.time = noon + 1000
    sightings.seen(d1, true, clock.time)
    sightings.heard(d1, clock.time + 1)
    sightings.heard(d2, clock.time)
    await durable()
    clock.time = noon + 60_000
    expect(await names({ online: true })).to.deep.equal(['d1'])
    expect(await names({ seenBefore: clock.time })).to.deep.equal(['d2', 'd3', 'd4', 'd5'])
    expect(await names({ seenBefore: noon + 500 })).to.deep.equal(['d3', 'd4', 'd5'])
    const reported = { type: 'twin', org: 'acme', device: d2, at: clock.time } as const
    sightings.reported({ ...reported, data: { reported: { firmware: '2.0' } } })
    sightings.reported({ ...reported, data: { reported: { firmware: 5 } } })
    sightings.reported({ ...reported, data: { desired: { firmware: 'x' } } })
    await durable()
    expect(await names({ firmware: '2.0' })).to.deep.equal(['d2'])
  })

  it('also those that an older version made, or whose process died on the way; and none that are gone', async () => {
    await some()
    const { id, org } = await registry.devices.get('acme', 'd1')
    const batch = new Batch()
    batch.delete(deviceEntry, { org, bucket: deviceBucket(id), device: id })
    batch.put(deviceEntry, { org, bucket: deviceBucket('ghost'), device: 'ghost', name: 'ghost', version: 1 })
    await store.write(batch)
    expect(await names({}, open().index)).to.deep.equal(floors)
    expect(await store.get(deviceEntry, { org, bucket: deviceBucket('ghost'), device: 'ghost' })).to.equal(
      undefined,
    )
  })

  it('with what came late from another datacenter, after its words were in doubt', async () => {
    await some()
    expect(await names()).to.deep.equal(floors)
    clock.time += 200_000
    const { org, id, version } = await registry.devices.get('acme', 'd3')
    const batch = new Batch()
    const bucket = deviceBucket(id)
    batch.put(deviceEntry, { org, bucket, device: id, name: 'd3', profile: 'late', version: version + 1 })
    await store.write(batch)
    expect(await names({ profile: 'late' })).to.deep.equal([])
    index.doubt()
    // All is read again beside the searches.
    while ((await names({ profile: 'late' })).length === 0) await nextTurn()
    expect(await names({ profile: 'late' })).to.deep.equal(['d3'])
  })

  it('by no more memory than is given: the organisation that was not asked for longest goes first', async () => {
    const small = open(6)
    await some()
    for (let i = 0; i < 4; i++) await registry.devices.create('other', { name: `o${i}` })
    expect(await names({}, small.index)).to.deep.equal(floors)
    expect((await small.index.search('other', {}, { limit: 9 })).devices).to.have.length(4)
    expect(await names({}, small.index)).to.deep.equal(floors)
  })
})
