import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { AnswerOf, CinqueClient } from '#client/index.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { nextUpgrade } from '#scripts/operator/upgrade.ts'
import type { Fleet } from '#scripts/roll/fleet.ts'
import type { Hands } from '#scripts/roll/hands.ts'
import { newestRelease } from '#scripts/roll/newest-release.ts'

const { hosts } = devInventory({ dcs: 3 })
const [old, fresh, newer] = ['0.1.9-aaaaaaaaaaaa', '0.1.10-bbbbbbbbbbbb', '0.2.0-cccccccccccc']

type Rolls = AnswerOf<'/v1/rolls', 'get'>['items']

function fleetOf({
  running,
  newest,
  rolls = [],
}: {
  running: Record<string, string[]>
  newest: string | undefined
  rolls?: Partial<Rolls[number]>[]
}): Fleet {
  const releases = new Map(
    Object.entries(running).map(([release, names]) => [
      release,
      hosts.filter(({ name }) => names.includes(name)),
    ]),
  )
  return {
    inventory: devInventory({ dcs: 3 }),
    hands: {} as Hands,
    client: { get: () => Promise.resolve({ items: rolls }) } as unknown as CinqueClient,
    releases: () => Promise.resolve(releases),
    newest: () => newest,
  }
}

const names = hosts.map(({ name }) => name)

describe('an upgrade by a schedule', () => {
  it('is to the newest release there is, and a bad one is taken back to what all run', async () => {
    const fleet = fleetOf({ running: { [old]: names }, newest: fresh })
    expect(await nextUpgrade(fleet, hosts)).to.deep.equal({ version: fresh, previous: old, hosts })
  })

  it('goes on where one before it has ended', async () => {
    const fleet = fleetOf({ running: { [fresh]: names.slice(0, 1), [old]: names.slice(1) }, newest: fresh })
    expect(await nextUpgrade(fleet, hosts)).to.deep.equal({
      version: fresh,
      previous: old,
      hosts: hosts.slice(1),
    })
  })

  it('touches nobody when nothing is newer', async () => {
    for (const release of [fresh, newer]) {
      // oxlint-disable-next-line no-await-in-loop -- two
      const next = await nextUpgrade(fleetOf({ running: { [release]: names }, newest: fresh }), hosts)
      expect(next).to.include({ state: 'done' })
    }
  })

  it('does not try a build again that a host was not well with', async () => {
    const rolls = [{ id: 'r1', version: fresh, state: 'failed' as const, reason: 'schedule monthly, due 1' }]
    const next = await nextUpgrade(fleetOf({ running: { [old]: names }, newest: fresh, rolls }), hosts)
    expect(next)
      .to.include({ state: 'failed' })
      .and.to.have.property('note')
      .that.matches(/tried in vain by roll r1/)
  })

  it('asks a person where it can not tell what a host gets back', async () => {
    const running = { [old]: names.slice(0, 1), [newer]: names.slice(1) }
    expect(await nextUpgrade(fleetOf({ running, newest: fresh }), hosts)).to.include({ state: 'failed' })
    expect(await nextUpgrade(fleetOf({ running: {}, newest: fresh }), hosts)).to.include({ state: 'failed' })
    expect(await nextUpgrade(fleetOf({ running, newest: undefined }), hosts)).to.include({ state: 'failed' })
  })
})

describe('the newest release', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cinque-releases-'))
  })

  afterEach(() => {
    rmSync(directory, { recursive: true })
  })

  function has(name: string, made: number, at = directory): void {
    mkdirSync(at, { recursive: true })
    writeFileSync(join(at, name), '')
    utimesSync(join(at, name), made, made)
  }

  it('is the one with the highest version, however old its file is, and of one version the file made last', () => {
    expect(newestRelease([directory, join(directory, 'missing')])).to.equal(undefined)
    has('cinque-0.9.9-aaaaaaaaaaaa.tar', 9)
    has('cinque-0.10.0-bbbbbbbbbbbb.tar', 3)
    has('cinque-0.10.0-cccccccccccc.tar', 2, join(directory, 'more'))
    has('.cinque-1.0.0-aaaaaaaaaaaa.tar', 10)
    has('cinque-1.0.0.tar', 10)
    expect(newestRelease([directory, join(directory, 'more')])).to.equal('0.10.0-bbbbbbbbbbbb')
  })
})
