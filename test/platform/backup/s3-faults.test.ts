import { expect } from 'chai'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Store } from '#platform/backup/s3/s3-store.ts'
import { keys } from './object-store-contract.ts'

/** What a backup meets when its storage is ill: it tries again what may pass, and says the rest in one line. */
describe('S3 storage that is ill', () => {
  let server: Server
  let answer: RequestListener = (_, response) => response.end()
  let requests = 0
  let endpoint = ''

  before(async () => {
    server = createServer((request, response) => {
      requests++
      request.resume()
      request.once('end', () => answer(request, response))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => server.close())
  beforeEach(() => (requests = 0))

  function store(options: { endpoint?: string; timeoutMs?: number } = {}): S3Store {
    const credentials = { accessKey: 'id', secretKey: 'secret' }
    return new S3Store({ endpoint, region: 'r', bucket: 'b', credentials, retryMs: 1, ...options })
  }
  const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', String)
  const error = (code: string, message: string) =>
    `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`

  it('an answer that breaks off is asked for again, and never taken for the object', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 10 })
      response.write(requests < 3 ? 'half' : '0123456789')
      setImmediate(() => response.destroy())
    }
    expect(await failure(store().get('a'))).to.equal('done')
    expect(requests).to.equal(3)
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 10 })
      response.write('half')
      setImmediate(() => response.destroy())
    }
    expect(await failure(store().get('a'))).to.match(/^ObjectStoreError: bucket b at .*: cannot get a: /)
  })

  it('busy for a moment is no failure; for longer it is, with what the storage says', async () => {
    answer = (_, response) => {
      response
        .writeHead(requests < 3 ? 503 : 200)
        .end(requests < 3 ? error('SlowDown', 'Reduce your rate') : '')
    }
    expect(await failure(store().put('a', Buffer.from('x')))).to.equal('done')
    requests = -1e9
    expect(await failure(store().put('a', Buffer.from('x')))).to.match(
      /cannot put a: 503 SlowDown Reduce your rate$/,
    )
  })

  it('wrong credentials are said at once', async () => {
    answer = (_, response) => {
      response.writeHead(403).end(error('SignatureDoesNotMatch', 'Check your key &amp; method'))
    }
    expect(await failure(store().get('a'))).to.match(
      /cannot get a: 403 SignatureDoesNotMatch Check your key & method$/,
    )
    expect(requests).to.equal(1)
  })

  it('a bucket that is not there is not an object that is not there', async () => {
    answer = (_, response) => response.writeHead(404).end(error('NoSuchBucket', 'No such bucket'))
    expect(await failure(store().get('a'))).to.match(/404 NoSuchBucket/)
    expect(await failure(keys(store(), ''))).to.match(/404 NoSuchBucket/)
  })

  it('a page of something else is no empty list', async () => {
    answer = (_, response) => response.end('<html>Welcome to the hotel</html>')
    expect(await failure(keys(store(), ''))).to.match(/cannot list : the answer is no list$/)
  })

  it('nobody there, and nobody who answers', async () => {
    expect(await failure(store({ endpoint: 'http://127.0.0.1:1' }).get('a'))).to.match(/cannot get a: /)
    answer = () => undefined
    expect(await failure(store({ timeoutMs: 20 }).get('a'))).to.match(/cannot get a: no answer in time$/)
  })
})
