import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Repository } from '#platform/backup/repository.ts'
import { readKeyFile, Seal } from '#platform/backup/seal.ts'
import { fetchAll } from '#platform/backup/units.ts'
import { unitsOf } from '#platform/backup/manifest.ts'
import { verify } from '#platform/backup/verify.ts'
import { temporaryFolder } from '../../scripts/child.ts'
import { Place, seal } from './fixture.ts'

describe('backup repository', () => {
  const folder = temporaryFolder()
  after(folder.remove)
  let n = 0
  const place = (): Place => new Place(join(folder.path, String(n++)))
  const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', String)

  it('gives files back as they were: empty, small, large, many', async () => {
    const at = place()
    const repository = await at.init()
    const contents = new Map(
      [0, 1, 999, 1_000, 1_001, 123_456].map((bytes) => [`f${bytes}`, randomBytes(bytes)]),
    )
    for (const [name, content] of contents) at.write(name, content)
    const { id } = await at.backUp()
    const manifest = await repository.manifest(id)
    await fetchAll(repository, unitsOf(manifest), join(folder.path, 'out'))
    for (const [name, content] of contents)
      expect(readFileSync(join(folder.path, 'out', name)).equals(content), name).to.equal(true)
  })

  it('ships a content once, and only what is new', async () => {
    const at = place()
    await at.init()
    at.write('a', Buffer.alloc(5_000, 'a'))
    at.write('same', Buffer.alloc(5_000, 'a'))
    expect((await at.backUp()).shippedBytes).to.be.above(0)
    const before = at.chunks().length
    expect(before).to.equal(1)
    at.write('b', randomBytes(2_500))
    await at.backUp()
    expect(at.chunks().length).to.equal(before + 3)
    expect((await at.backUp()).shippedBytes).to.equal(0)
  })

  it('shows nothing of what is in it without the key', async () => {
    const at = place()
    await at.init()
    at.write('secret-name', 'secret content, secret content, secret content')
    await at.backUp()
    const files = [...at.chunks(), join(at.storage, 'repository.json')]
    for (const file of files) expect(readFileSync(file).toString('latin1')).to.not.match(/secret/)
  })

  it('is not opened with another key, and a file that is no key is named', async () => {
    const at = place()
    await at.init()
    const other = new Seal(Buffer.alloc(32, 8))
    expect(await failure(Repository.open(at.store, other))).to.match(/made with another key$/)
    expect(await failure(Repository.init(at.store, other))).to.match(/made with another key$/)
    const file = join(folder.path, 'key')
    writeFileSync(file, 'swordfish\n')
    expect(() => readKeyFile(file)).to.throw(/key has no key of backups: it is one line of 64 digits/)
    expect(() => readKeyFile(`${file}-missing`)).to.throw(/cannot read the key of the backups: /)
  })

  it('is not made by a run: what is not mounted has no repository', async () => {
    expect(await failure(place().backUp())).to.match(/has no repository of backups: .*mounted\?/)
  })

  const damages: [what: string, harm: (file: string, other: string) => void, message: RegExp][] = [
    ['altered', (file) => flip(file, 40), /is damaged: it was cut off or altered$/],
    ['altered in its first bytes', (file) => flip(file, 0), /is not an object of a backup$/],
    ['cut off', (file) => truncateSync(file, 100), /is damaged: it was cut off or altered$/],
    ['cut off to nothing', (file) => truncateSync(file, 0), /is cut off$/],
    ['missing', (file) => rmSync(file), /is missing$/],
    [
      "in another's place",
      (file, other) => renameSync(other, file),
      /is damaged: it was cut off or altered$/,
    ],
    ['of a newer version', (file) => overwrite(file, 'CQB2'), /is of a newer version: upgrade the program$/],
  ]
  for (const [what, harm, message] of damages) {
    it(`a chunk that is ${what} is named, and never restored`, async () => {
      const at = place()
      const repository = await at.init()
      at.write('a', randomBytes(900))
      at.write('b', randomBytes(900))
      const manifest = await at.backUp()
      const [file, other] = at.chunks()
      harm(file, other)
      const name = `chunks/${file.slice(-67)}`
      const { damage } = await verify(repository, { read: true })
      expect(
        damage.some((line) => line.startsWith(name) && line.includes(`needed by ${manifest.id}`)),
      ).to.equal(true)
      const restored = await failure(fetchAll(repository, unitsOf(manifest), join(folder.path, 'bad')))
      expect(restored).to.match(/^BackupError: chunks\//)
      expect(damage.some((line) => message.test(line.split(';')[0]))).to.equal(true)
    })
  }

  it('a manifest that is altered is named; the other backups are still there', async () => {
    const at = place()
    const repository = await at.init()
    at.write('a', 'a')
    const bad = await at.backUp(at.store, { taken: 1_700_000_000_000 })
    const good = await at.backUp()
    flip(join(at.storage, 'manifests', bad.id), 30)
    expect((await verify(repository, { read: false })).damage).to.deep.equal([
      `manifests/${bad.id} is damaged: it was cut off or altered; needed by ${bad.id}`,
    ])
    expect((await repository.newest()).id).to.equal(good.id)
    expect(await failure(repository.manifest('20200101T000000Z-00000000'))).to.match(/has no backup 2020/)
    expect(await failure(repository.manifest('../repository.json'))).to.match(/has no backup/)
  })

  it('a chunk that was lost is shipped again by the next backup', async () => {
    const at = place()
    const repository = await at.init()
    at.write('a', randomBytes(3_000))
    const first = await at.backUp()
    rmSync(at.chunks()[0])
    await at.backUp()
    expect((await verify(repository, { read: true })).damage).to.deep.equal([])
    expect((await verify(repository, { read: true, ids: [first.id] })).damage).to.deep.equal([])
  })

  it('a key derives what it always did, or old backups could not be read', async () => {
    expect(seal.check).to.equal('369d4f582921958c3220bdcb58e42d380920d6e2138a4e35fbb7f17ed4d165ed')
    expect(seal.nameOf(Buffer.from('x'))).to.equal(
      'da280de351a3c89287fc4498fe1d44a2cf2c80f9c138b59d6d6b249e00219eeb',
    )
    const opened = await seal.open('chunks/x', await seal.seal('chunks/x', Buffer.alloc(5_000, 'x'), true))
    expect(opened.equals(Buffer.alloc(5_000, 'x'))).to.equal(true)
  })
})

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] ^= 0x55
  writeFileSync(file, bytes)
}

function overwrite(file: string, start: string): void {
  const bytes = readFileSync(file)
  bytes.write(start)
  writeFileSync(file, bytes)
}
