import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Repository } from '#platform/backup/repository.ts'
import { S3Store } from '#platform/backup/s3/s3-store.ts'
import { verify } from '#platform/backup/verify.ts'
import { type Moto, startMoto } from '../../healthcheck/dns/route53/moto.ts'
import { temporaryFolder } from '../../scripts/child.ts'
import { Place, seal } from './fixture.ts'
import { objectStoreContract } from './object-store-contract.ts'

describe('backup storage in S3', function () {
  this.timeout(300_000)
  let moto: Moto
  const folder = temporaryFolder()

  before(async () => {
    moto = await startMoto()
    await fetch(`${moto.endpoint}/backups`, { method: 'PUT' })
  })
  after(async () => {
    await moto?.stop()
    folder.remove()
  })

  function store(bucket = 'backups', prefix = 'cell'): S3Store {
    const credentials = { accessKey: 'test', secretKey: 'test' }
    return new S3Store({ endpoint: moto.endpoint, region: 'us-east-1', bucket, prefix, credentials })
  }

  objectStoreContract('S3', async () => store())

  it('two prefixes of a bucket know nothing of each other', async () => {
    await store('backups', 'one').put('a', Buffer.from('a'))
    expect(await store('backups', 'other').get('a')).to.equal(undefined)
    expect(await store('backups', '').get('one/a')).to.deep.equal(Buffer.from('a'))
  })

  it('a bucket that is not there is said so', async () => {
    const failure = await store('nothing')
      .get('a')
      .then(() => 'got', String)
    expect(failure).to.match(/bucket nothing at .*: cannot get a: 404 NoSuchBucket/)
  })

  it('holds a repository', async () => {
    const place = new Place(join(folder.path, 's3'))
    const repository = await Repository.init(store('backups', 'repository'), seal)
    place.write('a', randomBytes(5_000))
    const { id } = await place.backUp(repository.store)
    expect((await repository.backups()).map((one) => one.id)).to.deep.equal([id])
    expect((await verify(repository, { read: true })).damage).to.deep.equal([])
  })
})
