import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { put, storeError } from './contract.ts'
import { holdScript, startWriter } from './children.ts'
import { LmdbFixture } from './lmdb-fixture.ts'
import { single } from './tables.ts'

/** What an operator does wrong when he starts: one clear line, nothing damaged. */
describe('opening the LMDB store', () => {
  const fixture = new LmdbFixture()
  afterEach(() => fixture.clean())

  it('makes the directory, also below one that is not there and with a dot in its name', async () => {
    const directory = join(fixture.directory(), 'below', 'cinque.data')
    await put(await fixture.open(directory), single, { id: 'a' })
    expect(statSync(join(directory, 'data.mdb')).isFile()).to.equal(true)
    expect(statSync(directory).mode & 0o777).to.equal(0o700)
  })

  it('refuses a file', async () => {
    const file = join(fixture.directory(), 'file')
    writeFileSync(file, 'text')
    for (const path of [file, join(file, 'below')]) {
      const error = await storeError(fixture.open(path))
      expect(error.code).to.equal('unavailable')
      expect(error.message).to.equal(`${path} is not a directory`)
    }
    expect(readFileSync(file, 'utf8')).to.equal('text')
  })

  // Root may read and write everything.
  const modes: [number, string, string][] =
    process.getuid?.() === 0
      ? []
      : [
          [0o000, 'unavailable', 'cannot read'],
          [0o500, 'readonly', 'cannot write'],
        ]
  for (const [mode, code, words] of modes) {
    it(`refuses a directory with mode ${mode.toString(8)}`, async () => {
      const directory = fixture.directory()
      await (await fixture.open(directory)).close()
      chmodSync(directory, mode)
      const error = await storeError(fixture.open(directory))
      chmodSync(directory, 0o700)
      expect(error.code).to.equal(code)
      expect(error.message).to.include(words).and.to.include(directory)
      await fixture.open(directory)
    })
  }

  it('refuses a second opener in the same process, until the first has closed', async () => {
    const directory = fixture.directory()
    const store = await fixture.open(directory)
    const error = await storeError(fixture.open(directory))
    expect(error.code).to.equal('unavailable')
    expect(error.message).to.equal(`data directory ${directory} is in use by another process`)
    await put(store, single, { id: 'a' })
    await store.close()
    expect(await (await fixture.open(directory)).get(single, { id: 'a' })).to.deep.equal({ id: 'a' })
  })

  it('refuses the data of a running process, and takes them when it was killed', async () => {
    const directory = fixture.directory()
    const writer = await startWriter(directory)
    try {
      const error = await storeError(fixture.open(directory))
      expect(error.code).to.equal('unavailable')
      expect(error.message).to.match(/ is in use by another process$/)
    } finally {
      await writer.kill()
    }
    await put(await fixture.open(directory), single, { id: 'a' })
  })

  it('refuses data of a newer version and leaves them as they are', async () => {
    const directory = fixture.directory()
    await (await fixture.open(directory)).close()
    await editFormat(directory, (format) => ({ ...format, format: 2 }))
    const before = readFileSync(join(directory, 'data.mdb'))
    const error = await storeError(fixture.open(directory))
    expect(error.code).to.equal('version')
    expect(error.message).to.match(
      /^the data in .* have format 2, this version reads up to 1: start the newer version/,
    )
    expect(error.message).to.not.include('\n')
    expect(readFileSync(join(directory, 'data.mdb')).equals(before)).to.equal(true)
  })

  it('refuses what is not its own', async () => {
    const foreign = fixture.directory()
    const database = open({ path: foreign, noSubdir: false })
    await database.put('key', 'value')
    await database.close()
    const other = fixture.directory()
    await (await fixture.open(other)).close()
    await editFormat(other, () => 'something else')
    for (const directory of [foreign, other]) {
      const error = await storeError(fixture.open(directory))
      expect(error.code).to.equal('corrupt')
      expect(error.message).to.equal(`the LMDB data in ${directory} were not written by cinque`)
    }
  })

  it('refuses a damaged file and leaves it as it is', async () => {
    const damaged: [string, Buffer][] = [
      ['text', Buffer.from('this is not a database\n'.repeat(1_000))],
      ['zeros', Buffer.alloc(16_384)],
      ['a few bytes', Buffer.from('short')],
      ['half of the first pages', (await newData(fixture)).subarray(0, 4_096)],
      ['cut off behind them', (await newData(fixture)).subarray(0, 8_192)],
    ]
    for (const [what, bytes] of damaged) {
      const directory = fixture.directory()
      writeFileSync(join(directory, 'data.mdb'), bytes)
      const error = await storeError(fixture.open(directory))
      expect(error.code, what).to.equal('corrupt')
      expect(error.message, what).to.match(/^data\.mdb in .* is damaged: .*; restore it from a backup$/)
      expect(readFileSync(join(directory, 'data.mdb')).equals(bytes), what).to.equal(true)
    }
  })

  it('begins anew in a file that LMDB had just made when it was killed', async () => {
    const directory = fixture.directory()
    writeFileSync(join(directory, 'data.mdb'), '')
    await put(await fixture.open(directory), single, { id: 'a' })
  })

  it('refuses data of another LMDB format', async () => {
    const directory = fixture.directory()
    const bytes = await newData(fixture)
    bytes.writeUInt32LE(999, 28)
    writeFileSync(join(directory, 'data.mdb'), bytes)
    const error = await storeError(fixture.open(directory))
    expect(error.code).to.equal('version')
    expect(error.message).to.equal(`data.mdb in ${directory} has LMDB format 999, this version reads 2`)
  })

  it('lets a process end that forgot to close', async () => {
    const child = spawn(process.execPath, [holdScript, fixture.directory()], { stdio: 'inherit' })
    const [code] = await once(child, 'exit')
    expect(code).to.equal(0)
  })
})

/** The data file of a store with some rows. */
async function newData(fixture: LmdbFixture): Promise<Buffer> {
  const directory = fixture.directory()
  const store = await fixture.open(directory)
  await put(
    store,
    single,
    ...Array.from({ length: 100 }, (_, n) => ({ id: String(n), value: 'x'.repeat(100) })),
  )
  await store.close()
  return readFileSync(join(directory, 'data.mdb'))
}

async function editFormat(directory: string, edit: (format: object) => unknown): Promise<void> {
  const database = open<Buffer, Buffer>({
    path: directory,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
  })
  const key = Buffer.from('\0format')
  const format: object = JSON.parse(database.get(key)?.toString() ?? '{}')
  await database.put(key, Buffer.from(JSON.stringify(edit(format))))
  await database.close()
}
