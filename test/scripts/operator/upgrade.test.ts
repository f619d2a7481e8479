import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { CinqueClient } from '#client/index.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { nextUpgrade } from '#scripts/operator/upgrade.ts'
import type { Fleet } from '#scripts/roll/fleet.ts'
import type { Hands } from '#scripts/roll/hands.ts'
import type { ShownRoll } from '#scripts/roll/ledger.ts'
import { hashOf, newestRelease } from '#scripts/roll/releases.ts'

const { hosts } = devInventory({ dcs: 3 })
const names = hosts.map(({ name }) => name)
const [old, fresh, newer] = ['0.1.9-aaaaaaaaaaaa', '0.1.10-bbbbbbbbbbbb', '0.2.0-cccccccccccc']

type Part = Partial<Omit<ShownRoll, 'steps'>> & { steps?: Partial<ShownRoll['steps'][number]>[] }

/** A roll that ended. */
function roll(part: Part): Part {
  return { id: 'r1', kind: 'upgrade', state: 'done', ended_at: '2026-01-01T00:00:00Z', steps: [], ...part }
}

/** What a schedule would do where all run `old` and `fresh` may be taken. */
function next({
  running = { [old]: names },
  newest = (): Promise<string | undefined> => Promise.resolve(fresh),
  rolls = [],
}: {
  running?: Record<string, string[]>
  newest?: () => Promise<string | undefined>
  rolls?: Part[]
} = {}): ReturnType<typeof nextUpgrade> {
  const releases = new Map(
    Object.entries(running).map(([release, some]) => [
      release,
      hosts.filter(({ name }) => some.includes(name)),
    ]),
  )
  const fleet: Fleet = {
    inventory: devInventory({ dcs: 3 }),
    hands: {} as Hands,
    client: { get: () => Promise.resolve({ items: rolls }) } as unknown as CinqueClient,
    releases: () => Promise.resolve(releases),
    newest,
  }
  return nextUpgrade(fleet, hosts)
}

const upgrade = { version: fresh, previous: old, hosts }

async function refusal(what: ReturnType<typeof next>): Promise<string> {
  const found = await what
  if (typeof found === 'string' || 'hosts' in found || found.state !== 'failed') throw new Error('it goes on')
  return found.note
}

describe('an upgrade by a schedule', () => {
  it('is to the newest release it may take, and a bad one is taken back to what all run', async () => {
    expect(await next()).to.deep.equal(upgrade)
  })

  it('goes on where one before it has ended', async () => {
    const running = { [fresh]: names.slice(0, 1), [old]: names.slice(1) }
    expect(await next({ running })).to.deep.equal({ ...upgrade, hosts: hosts.slice(1) })
  })

  it('touches nobody when nothing is newer', async () => {
    expect(await next({ running: { [fresh]: names } })).to.include({ state: 'done' })
    expect(await next({ running: { [newer]: names } })).to.include({ state: 'done' })
  })

  it('waits for a roll that is under way', async () => {
    expect(await next({ rolls: [roll({ ended_at: null, kind: 'restart' })] })).to.equal(
      'restart r1 is under way',
    )
  })

  it('leaves a build to people that a host was not well with, or that they have taken back', async () => {
    const failed = roll({ version: fresh, state: 'failed', steps: [{ state: 'failed', phase: 'settle' }] })
    const back = roll({ version: old, previous: fresh })
    expect(await refusal(next({ rolls: [failed] }))).to.match(/was tried in vain by roll r1/)
    expect(await refusal(next({ rolls: [back, roll({ version: fresh })] }))).to.match(
      /was taken back by roll r1/,
    )
    // They have tried it since then.
    expect(await next({ rolls: [roll({ version: fresh }), back, failed] })).to.deep.equal(upgrade)
  })

  it('tries again what ended before any host had it', async () => {
    const ended = roll({ version: fresh, state: 'failed', steps: [{ state: 'failed', phase: 'gate' }] })
    expect(await next({ rolls: [ended] })).to.deep.equal(upgrade)
  })

  it('asks a person where it can not tell what a host runs or gets back', async () => {
    const some = { [old]: names.slice(0, 1), [newer]: names.slice(1) }
    expect(await refusal(next({ running: some }))).to.match(
      /hosts run 0.1.9-aaaaaaaaaaaa, 0.2.0-cccccccccccc/,
    )
    expect(await refusal(next({ running: { [fresh]: names.slice(1) } }))).to.equal(
      'dc01-n1 cannot be asked which release runs there',
    )
    const other = '0.1.10-dddddddddddd'
    expect(await refusal(next({ running: { [other]: names } }))).to.match(/have one version/)
    expect(await refusal(next({ newest: () => Promise.resolve(undefined) }))).to.match(/no release is here/)
    expect(await refusal(next({ newest: () => Promise.reject(new Error('it is not whole')) }))).to.equal(
      'it is not whole',
    )
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

  function has(name: string, at = directory): void {
    mkdirSync(at, { recursive: true })
    writeFileSync(join(at, name), 'a release')
  }

  it('is the one with the highest version in any of the directories', () => {
    const more = join(directory, 'more')
    expect(newestRelease([directory, more])).to.equal(undefined)
    has('cinque-0.9.9-aaaaaaaaaaaa.tar')
    has('cinque-0.10.0-bbbbbbbbbbbb.tar', more)
    has('.cinque-1.0.0-aaaaaaaaaaaa.tar')
    has('cinque-1.0.0.tar')
    expect(newestRelease([directory, more])).to.deep.equal({
      release: '0.10.0-bbbbbbbbbbbb',
      file: join(more, 'cinque-0.10.0-bbbbbbbbbbbb.tar'),
    })
  })

  it('is not taken half copied', async () => {
    const whole = createHash('sha256').update('a release').digest('hex')
    for (const release of [`0.1.0-${whole.slice(0, 12)}`, '0.2.0-aaaaaaaaaaaa']) has(`cinque-${release}.tar`)
    const file = (release: string): { release: string; file: string } => ({
      release,
      file: join(directory, `cinque-${release}.tar`),
    })
    expect(await hashOf(file(`0.1.0-${whole.slice(0, 12)}`))).to.equal(whole)
    const refused = await hashOf(file('0.2.0-aaaaaaaaaaaa')).catch((error: unknown) => String(error))
    expect(refused).to.match(/is not whole: .* bring it again/)
  })
})
