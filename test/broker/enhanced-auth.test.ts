import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { ScramExchange } from '#broker/enhanced-auth.ts'
import type { Authenticator, ScramVerifier } from '#platform/auth/principal.ts'

// RFC 7677, section 3
const CLIENT_NONCE = 'rOprNGfwEbeRWgbNEkqO'
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const SALT = 'W22ZaJ0SNY7soEsUEjb6gQ=='
const CLIENT_FIRST = `n,,n=user,r=${CLIENT_NONCE}`
const SERVER_FIRST = `r=${CLIENT_NONCE}${SERVER_NONCE},s=${SALT},i=4096`
const CLIENT_FINAL = `c=biws,r=${CLIENT_NONCE}${SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`
const SERVER_FINAL = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function keys(password: string, salt: Uint8Array, iterations: number): ScramVerifier & { clientKey: Buffer } {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const clientKey = hmac(salted, 'Client Key')
  const storedKey = createHash('sha256').update(clientKey).digest()
  return { salt, iterations, clientKey, storedKey, serverKey: hmac(salted, 'Server Key') }
}

const users: Record<string, ScramVerifier> = {
  user: keys('pencil', Buffer.from(SALT, 'base64'), 4096),
  'a,b=c': keys('secret', Buffer.from('0123456789abcdef'), 4096),
}

const authenticator: Authenticator = {
  authenticate: () => ({ denied: 'bad_credentials', explanation: 'SCRAM only' }),
  scram: async (username) => users[username],
}

/** What a client does with server-first-message. */
function clientFinal(gs2: string, bare: string, serverFirst: string, password: string): string {
  const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? []
  const { clientKey, storedKey } = keys(password, Buffer.from(salt, 'base64'), Number(iterations))
  const withoutProof = `c=${Buffer.from(gs2).toString('base64')},r=${nonce}`
  const signature = hmac(storedKey, `${bare},${serverFirst},${withoutProof}`)
  return `${withoutProof},p=${Buffer.from(clientKey.map((byte, i) => byte ^ signature[i])).toString('base64')}`
}

async function first(message: string): Promise<{ exchange: ScramExchange; reply: string }> {
  const exchange = new ScramExchange(authenticator)
  const result = await exchange.start(Buffer.from(message))
  expect(result.status, JSON.stringify(result)).to.equal('continue')
  return { exchange, reply: result.status === 'continue' ? result.data.toString() : '' }
}

describe('SCRAM-SHA-256', () => {
  it('gives the answers of RFC 7677, section 3', async () => {
    const exchange = new ScramExchange(authenticator, () => SERVER_NONCE)
    expect(await exchange.start(Buffer.from(CLIENT_FIRST))).to.deep.equal({
      status: 'continue',
      data: Buffer.from(SERVER_FIRST),
    })
    expect(await exchange.next(Buffer.from(CLIENT_FINAL))).to.deep.equal({
      status: 'success',
      data: Buffer.from(SERVER_FINAL),
      username: 'user',
    })
  })

  it('asks for the first message of a client whose CONNECT brought none', async () => {
    const exchange = new ScramExchange(authenticator, () => SERVER_NONCE)
    expect(await exchange.start(Buffer.alloc(0))).to.deep.equal({ status: 'continue', data: Buffer.alloc(0) })
    expect(await exchange.next(Buffer.from(CLIENT_FIRST))).to.have.property('status', 'continue')
    expect(await exchange.next(Buffer.from(CLIENT_FINAL))).to.have.property('status', 'success')
  })

  it('accepts a client that could bind to the channel but believes that we can not (y)', async () => {
    const { exchange, reply } = await first('y,,n=user,r=abc')
    const final = clientFinal('y,,', 'n=user,r=abc', reply, 'pencil')
    expect(await exchange.next(Buffer.from(final))).to.have.property('status', 'success')
  })

  it('reads escaped names, and authzid where it is the same user', async () => {
    const { exchange, reply } = await first('n,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=abc')
    const final = clientFinal('n,a=a=2Cb=3Dc,', 'n=a=2Cb=3Dc,r=abc', reply, 'secret')
    expect(await exchange.next(Buffer.from(final))).to.include({ status: 'success', username: 'a,b=c' })
  })

  it('takes extensions of the messages into the signature', async () => {
    const { exchange, reply } = await first('n,,n=user,r=abc,x=1')
    const final = clientFinal('n,,', 'n=user,r=abc,x=1', reply, 'pencil')
    expect(await exchange.next(Buffer.from(final))).to.have.property('status', 'success')
  })

  it('uses a new nonce every time', async () => {
    expect((await first('n,,n=user,r=abc')).reply).not.to.equal((await first('n,,n=user,r=abc')).reply)
  })

  it('refuses a wrong password', async () => {
    const { exchange, reply } = await first('n,,n=user,r=abc')
    const final = clientFinal('n,,', 'n=user,r=abc', reply, 'Pencil')
    expect(await exchange.next(Buffer.from(final))).to.deep.equal({
      status: 'failed',
      reason: 0x87,
      explanation: 'wrong user name or password',
    })
  })

  it('tells an unknown user nothing before the proof, and the same salt each time', async () => {
    const one = await first('n,,n=nobody,r=abc')
    const two = await first('n,,n=nobody,r=abc')
    const salt = (reply: string): string => /s=([^,]+)/.exec(reply)?.[1] ?? ''
    expect(Buffer.from(salt(one.reply), 'base64')).to.have.length(16)
    expect(salt(one.reply)).to.equal(salt(two.reply))
    const final = clientFinal('n,,', 'n=nobody,r=abc', one.reply, 'pencil')
    expect(await one.exchange.next(Buffer.from(final))).to.deep.equal({
      status: 'failed',
      reason: 0x87,
      explanation: 'wrong user name or password',
    })
  })

  it('can not be replayed: a final message of an earlier exchange has a wrong nonce', async () => {
    const earlier = await first('n,,n=user,r=abc')
    const final = Buffer.from(clientFinal('n,,', 'n=user,r=abc', earlier.reply, 'pencil'))
    const { exchange } = await first('n,,n=user,r=abc')
    expect(await exchange.next(final)).to.include({ status: 'failed', explanation: 'wrong nonce' })
  })

  it('refuses a channel binding that differs from the first message (a man in the middle took it off)', async () => {
    const { exchange, reply } = await first('n,,n=user,r=abc')
    const final = clientFinal('y,,', 'n=user,r=abc', reply, 'pencil')
    expect(await exchange.next(Buffer.from(final))).to.include({ status: 'failed', reason: 0x87 })
  })

  const badFirst: [string, string, number][] = [
    ['channel binding', 'p=tls-exporter,,n=user,r=abc', 0x87],
    ['an unknown flag', 'x,,n=user,r=abc', 0x82],
    ['another authzid', 'n,a=admin,n=user,r=abc', 0x87],
    ['a mandatory extension', 'n,,m=1,n=user,r=abc', 0x82],
    ['no user name', 'n,,n=,r=abc', 0x82],
    ['a bad escape', 'n,,n=us=2cer,r=abc', 0x82],
    ['a control character in the name', 'n,,n=us\u0007er,r=abc', 0x82],
    ['no nonce', 'n,,n=user,r=', 0x82],
    ['a nonce with a space', 'n,,n=user,r=a b', 0x82],
    ['something else', 'GET / HTTP/1.1', 0x82],
    ['a message of 3 KB', `n,,n=user,r=${'a'.repeat(3000)}`, 0x82],
  ]
  for (const [what, message, reason] of badFirst)
    it(`refuses a first message with ${what}`, async () => {
      const exchange = new ScramExchange(authenticator)
      expect(await exchange.start(Buffer.from(message))).to.include({ status: 'failed', reason })
      expect(await exchange.next(Buffer.from(CLIENT_FINAL))).to.include({ status: 'failed', reason: 0x82 })
    })

  it('refuses invalid UTF-8', async () => {
    const message = Buffer.concat([Buffer.from('n,,n=us'), Buffer.from([0xc3]), Buffer.from(',r=abc')])
    expect(await new ScramExchange(authenticator).start(message)).to.include({
      status: 'failed',
      reason: 0x82,
    })
  })

  const badFinal: [string, string][] = [
    ['no proof', `c=biws,r=${CLIENT_NONCE}${SERVER_NONCE}`],
    ['a short proof', `c=biws,r=${CLIENT_NONCE}${SERVER_NONCE},p=AAAA`],
    ['nothing', ''],
  ]
  for (const [what, message] of badFinal)
    it(`refuses a final message with ${what}`, async () => {
      const exchange = new ScramExchange(authenticator, () => SERVER_NONCE)
      await exchange.start(Buffer.from(CLIENT_FIRST))
      expect(await exchange.next(Buffer.from(message))).to.include({ status: 'failed', reason: 0x82 })
    })

  it('gives one chance only', async () => {
    const { exchange, reply } = await first('n,,n=user,r=abc')
    await exchange.next(Buffer.from(clientFinal('n,,', 'n=user,r=abc', reply, 'wrong')))
    const right = clientFinal('n,,', 'n=user,r=abc', reply, 'pencil')
    expect(await exchange.next(Buffer.from(right))).to.include({ status: 'failed', reason: 0x82 })
  })

  it('says that the method is bad where nobody has a verifier', async () => {
    const none: Authenticator = { authenticate: (credentials) => authenticator.authenticate(credentials) }
    expect(await new ScramExchange(none).start(Buffer.from(CLIENT_FIRST))).to.include({ reason: 0x8c })
  })

  it('rejects, and does not call the user wrong, while the store is away', async () => {
    const away: Authenticator = { ...authenticator, scram: () => Promise.reject(new Error('disk')) }
    const exchange = new ScramExchange(away)
    const error: unknown = await exchange.start(Buffer.from(CLIENT_FIRST)).catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(Error).with.property('message', 'disk')
    expect(await exchange.next(Buffer.from(CLIENT_FINAL))).to.include({ status: 'failed', reason: 0x82 })
  })

  it('never succeeds or throws on arbitrary input', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ maxLength: 200 }),
        async (one, two) => {
          const exchange = new ScramExchange(authenticator)
          await exchange.start(Buffer.from(one))
          expect((await exchange.next(Buffer.from(two))).status).not.to.equal('success')
        },
      ),
    ))
})
