import { expect } from 'chai'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DirectoryStore } from '#platform/backup/directory-store.ts'
import { temporaryFolder } from '../../scripts/child.ts'
import { keys, objectStoreContract } from './object-store-contract.ts'

describe('backup storage in a directory', () => {
  const { path, remove } = temporaryFolder()
  after(remove)

  objectStoreContract('a directory', async () => new DirectoryStore(path))

  it('one that is not mounted is an error, and is not made: a backup beside the disk is none', async () => {
    const store = new DirectoryStore(join(path, 'mount'))
    const calls = [
      () => store.put('a', Buffer.alloc(1)),
      () => store.get('a'),
      () => keys(store, ''),
      () => store.delete('a'),
    ]
    for (const call of calls) expect(await call().then(() => 'done', String)).to.match(/is it mounted\?/)
    expect(existsSync(join(path, 'mount'))).to.equal(false)
  })

  it('what a writer that died left is no object, and is removed after a day', async () => {
    const directory = join(path, 'tidy')
    mkdirSync(join(directory, '.unfinished'), { recursive: true })
    const [old, fresh] = ['old', 'fresh'].map((name) => join(directory, '.unfinished', name))
    for (const file of [old, fresh]) writeFileSync(file, 'half')
    utimesSync(old, new Date(0), new Date(0))
    const store = new DirectoryStore(directory)
    await store.tidy(Date.now())
    expect(existsSync(old)).to.equal(false)
    expect(existsSync(fresh)).to.equal(true)
    expect(await keys(store, '')).to.deep.equal([])
  })

  it('of another user stays his, also when root makes a backup by hand: the next of his own would fail', async () => {
    const directory = join(path, 'other')
    mkdirSync(directory)
    const we = process.getuid?.()
    const owner = we === 0 ? 31_234 : we
    if (we === 0) chownSync(directory, 31_234, 31_234)
    await new DirectoryStore(directory).put('chunks/ab/c', Buffer.alloc(1))
    for (const one of ['.unfinished', 'chunks', 'chunks/ab', 'chunks/ab/c'])
      expect(statSync(join(directory, one)).uid, one).to.equal(owner)
  })

  it('one that may not be written says so', async function () {
    const directory = join(path, 'file')
    writeFileSync(directory, '')
    const error = await new DirectoryStore(directory).put('a', Buffer.alloc(1)).then(() => 'put', String)
    expect(error).to.match(/^ObjectStoreError: directory .*: cannot put a: /)
    chmodSync(directory, 0o600)
    rmSync(directory)
  })
})
