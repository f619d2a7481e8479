import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { Agent, createServer, request, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { type Ask, Exchange } from '#healthcheck/votes/exchange.ts'
import { httpsAsk } from '#healthcheck/votes/https-ask.ts'
import { answerText, maxAnswer, parseAnswer } from '#healthcheck/votes/message.ts'
import { votePages } from '#healthcheck/votes/pages.ts'
import { type Keyring, keyring } from '#healthcheck/votes/sign.ts'
import { Metrics } from '#platform/metrics.ts'
import { make } from '../../platform/pki/certificate-maker.ts'
import { VirtualTime, VirtualTimers } from '../../virtual-time.ts'
import { ballotsOf } from './ballots.ts'

const names = ['c1', 'c2', 'c3']
const pairs = new Map(names.map((name) => [name, generateKeyPairSync('ed25519')]))
const publicKeys = Object.fromEntries(Array.from(pairs, ([name, { publicKey }]) => [name, textOf(publicKey)]))
const privateKeyOf = (name: string): KeyObject => {
  const key = pairs.get(name)?.privateKey
  if (key === undefined) throw new Error(`no key of ${name}`)
  return key
}
const keysOf = (checker: string): Keyring =>
  keyring({ checker, privateKey: privateKeyOf(checker), publicKeys })

function textOf(key: KeyObject): string {
  return String(key.export({ format: 'jwk' }).x)
}

describe('Votes between checkers', () => {
  let time: VirtualTime
  let metrics: Metrics
  const said = { votes: ballotsOf({ dc01: 'ddddd' })[1].votes, holds: new Map() }

  beforeEach(() => {
    time = new VirtualTime()
    metrics = new Metrics()
  })

  function exchange(checker: string, ask: Ask, more: { cell?: string; others?: string[] } = {}): Exchange {
    return new Exchange({
      cell: 'test',
      checker,
      others: names.filter((name) => name !== checker),
      keys: keysOf(checker),
      ask,
      timers: new VirtualTimers(time),
      metrics,
      own: () => said,
      onBallot: () => undefined,
      ...more,
    })
  }
  const nobody: Ask = async () => {
    throw new Error('refused')
  }
  /** c1 asks c2, which answers as `alter` has it. */
  async function asked(alter: (answer: string, nonce: string) => string): Promise<Exchange> {
    const c2 = exchange('c2', nobody)
    const c1 = exchange('c1', async (_, nonce) => alter(c2.answer(nonce) ?? '', nonce), { others: ['c2'] })
    c1.start()
    await time.runAsync(0)
    c1.stop()
    return c1
  }
  const reasons = (): string[] =>
    Array.from(
      metrics.render().matchAll(/cinque_votes_refused_total\{checker="c2",reason="(\w+)"\}/g),
      ([, one]) => one,
    )

  it('come to whoever asks, with an age by his own clock', async () => {
    const c1 = await asked((answer) => answer)
    expect(reasons()).to.deep.equal([])
    await time.runAsync(7000)
    const [ballot] = c1.ballots()
    expect(ballot.ageMs).to.equal(7000)
    expect(ballot.votes.get('dc01')).to.include({ checker: 'c2', verdict: 'down', reason: 'refused' })
    expect(c1.heardWithin(7000)).to.equal(1)
    expect(c1.heardWithin(6999)).to.equal(0)
  })

  const other = (answer: string): { signed: string; signature: string } => {
    const parsed = parseAnswer(answer)
    if (parsed === undefined) throw new Error('no answer')
    return parsed
  }
  const signedBy = (name: string, text: string): string => answerText(text, keysOf(name).sign(text))
  const nonceOf = 'AAAAAAAAAAAAAAAAAAAAAA'
  const table: [string, string, (answer: string, nonce: string) => string][] = [
    ['nothing', 'malformed', () => ''],
    ['no JSON', 'malformed', () => '<html>'],
    ['too much', 'too_large', (answer) => answer + ' '.repeat(maxAnswer)],
    ['no signature', 'malformed', (answer) => JSON.stringify({ signed: other(answer).signed })],
    ['an empty signature', 'bad_signature', (answer) => answerText(other(answer).signed, '')],
    [
      'one letter changed',
      'bad_signature',
      (answer) => answerText(other(answer).signed.replace('down', 'up'), other(answer).signature),
    ],
    [
      'what another checker signed in its name',
      'bad_signature',
      (answer) => signedBy('c3', other(answer).signed),
    ],
    [
      'what it signed as somebody else',
      'other_checker',
      (answer) => signedBy('c2', other(answer).signed.replace('"checker":"c2"', '"checker":"c3"')),
    ],
    [
      'a vote of another cell',
      'other_cell',
      (answer) => signedBy('c2', other(answer).signed.replace('"cell":"test"', '"cell":"prod"')),
    ],
    [
      'an answer to an earlier question',
      'other_nonce',
      (answer, nonce) => signedBy('c2', other(answer).signed.replace(nonce, nonceOf)),
    ],
    ['a signed text that is no vote', 'malformed', () => signedBy('c2', '{"v":1}')],
    [
      'another version',
      'malformed',
      (answer) => signedBy('c2', other(answer).signed.replace('"v":1', '"v":2')),
    ],
  ]
  for (const [what, reason, alter] of table) {
    it(`refuse ${what}, and count it: ${reason}`, async () => {
      const c1 = await asked(alter)
      expect(reasons()).to.deep.equal([reason])
      expect(c1.ballots()).to.deep.equal([])
      expect(c1.neighbours()[0].error).to.equal(`refused: ${reason}`)
    })
  }

  it('refuse an answer that was recorded and comes again', async () => {
    const c2 = exchange('c2', nobody)
    let recorded: string | undefined
    const c1 = exchange('c1', async (_, nonce) => (recorded ??= c2.answer(nonce) ?? ''), { others: ['c2'] })
    c1.start()
    await time.runAsync(20_000)
    c1.stop()
    expect(reasons()).to.deep.equal(['other_nonce'])
    expect(c1.ballots()[0].ageMs, 'it is as old as it is').to.equal(20_000)
  })

  it('take no harm from fields of a later version', async () => {
    const c1 = await asked((answer) =>
      signedBy('c2', other(answer).signed.replace('"v":1', '"v":1,"more":[1]')),
    )
    expect(c1.ballots()).to.have.length(1)
  })

  it('ask a checker that does not end its answer no second time, and give it up after two seconds', async () => {
    let questions = 0
    const ask: Ask = () => {
      questions++
      return new Promise(() => undefined)
    }
    const c1 = exchange('c1', ask, { others: ['c2'] })
    c1.start()
    await time.runAsync(1999)
    expect(questions).to.equal(1)
    expect(c1.neighbours()[0].error).to.equal('not asked yet')
    await time.runAsync(2)
    expect(c1.neighbours()[0].error).to.equal('no answer within 2 s')
    c1.stop()
  })

  it('are not signed for what is no nonce', () => {
    for (const nonce of ['', 'short', `${nonceOf}A`, 'AAAAAAAAAAAAAAAAAAAAA"', 'ÄAAAAAAAAAAAAAAAAAAAAA']) {
      expect(exchange('c2', nobody).answer(nonce)).to.equal(undefined)
    }
  })

  describe('keys', () => {
    const openedWith =
      (more: object): (() => Keyring) =>
      () =>
        keyring({ checker: 'c1', privateKey: privateKeyOf('c1'), publicKeys, ...more })
    it('that do not fit are named', () => {
      expect(openedWith({ privateKey: privateKeyOf('c2') })).to.throw(/^keys\.c1: is not that of/)
      expect(openedWith({ publicKeys: { ...publicKeys, c3: publicKeys.c2 } })).to.throw(
        /^keys\.c3: is c2's too/,
      )
      expect(openedWith({ publicKeys: { ...publicKeys, c3: 'x' } })).to.throw(/^keys\.c3: is no Ed25519/)
      expect(openedWith({ publicKeys: {} })).to.throw(/^keys\.c1: /)
    })
  })

  describe('over HTTPS', () => {
    let server: Server
    let plainUrl: string
    let port: number
    let ca: string
    const secret = 'a-secret-of-the-cell'
    const asserted = new Set(['dc01'])

    before(async () => {
      const authority = await make({ cn: 'cell', ca: true })
      const own = await make({ cn: 'c2', by: authority, sans: [{ type: 'dns', value: 'c2' }] })
      ca = authority.cert
      const c2 = exchange('c2', nobody)
      const page = votePages({ secret, asserted: () => asserted, answer: (nonce) => c2.answer(nonce) })
      server = createServer({ cert: own.cert, key: own.key }, (incoming, response) => {
        if (!page(incoming, response)) response.writeHead(418).end()
      })
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      port = (server.address() as AddressInfo).port
      plainUrl = `https://127.0.0.1:${port}`
    })
    after(() => {
      server.closeAllConnections()
      server.close()
    })
    const asking = (more: object = {}): ReturnType<typeof httpsAsk> =>
      httpsAsk({ peers: [{ checker: 'c2', address: '127.0.0.1', port }], secret, ca, ...more })
    async function failure(of: ReturnType<typeof httpsAsk>, checker = 'c2'): Promise<string> {
      const error: unknown = await of
        .ask(checker, nonceOf, AbortSignal.timeout(5000))
        .catch((one: unknown) => one)
      of.close()
      return error instanceof Error ? error.message : 'it answered'
    }

    it('are asked by name of the checker, and answered', async () => {
      const of = asking()
      const answer = await of.ask('c2', nonceOf, AbortSignal.timeout(5000))
      of.close()
      const { signed, signature } = other(answer)
      expect(keysOf('c1').verify('c2', signed, signature)).to.equal(true)
    })

    it('are not asked of whoever has no certificate of the authority, or another name', async () => {
      const foreign = await make({ cn: 'other', ca: true })
      expect(await failure(asking({ ca: foreign.cert }))).to.match(/certificate/)
      const peers = [{ checker: 'c3', address: '127.0.0.1', port }]
      expect(await failure(asking({ peers }), 'c3')).to.match(/altnames/)
    })

    it('say so when secrets differ, and when nobody is there', async () => {
      expect(await failure(asking({ secret: 'another-secret-of-it' }))).to.equal(
        'it answered 404; is its secret the same?',
      )
      const peers = [{ checker: 'c2', address: '127.0.0.1', port: 1 }]
      expect(await failure(asking({ peers }))).to.match(/ECONNREFUSED/)
      expect(await failure(asking(), 'c9')).to.equal('no address of checker c9 is known')
    })

    it('have down pages that tell nobody why they are not there', async () => {
      const of = async (path: string, method = 'GET'): Promise<string> => {
        const agent = new Agent({ ca, servername: 'c2' })
        return new Promise((resolve, reject) => {
          request(plainUrl + path, { method, agent }, (response) => {
            const { date: _, ...headers } = response.headers
            let body = ''
            response.on('data', (chunk) => (body += String(chunk)))
            response.on('end', () => resolve(`${response.statusCode} ${JSON.stringify(headers)} ${body}`))
          })
            .on('error', reject)
            .end()
        })
      }
      expect(await of(`/hc/${secret}/dc01/down`)).to.match(/^200 .* $/)
      expect(await of(`/hc/${secret}/dc01/down`, 'HEAD')).to.match(/^200 /)
      const hidden = await of(`/hc/${secret}/dc02/down`)
      expect(hidden).to.match(/^404 .*"content-length":"0".* $/)
      for (const path of [
        `/hc/${secret}/dc77/down`,
        '/hc/wrong/dc01/down',
        `/hc/${secret}x/dc01/down`,
        `/hc/${secret}/dc01/up`,
        `/hc/${secret}/dc01/down/more`,
        `/hc/${secret}/dc01`,
        `/hc/${secret}/votes`,
        `/hc/${secret}/votes?nonce=short`,
        `/hc/wrong/votes?nonce=${nonceOf}`,
        `/hc/${'x'.repeat(2000)}/dc01/down`,
        '/hc/',
        '/hc//dc01/down',
        `/hc/${secret}/%64c01/down`,
      ]) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        expect(await of(path), path).to.equal(hidden)
      }
      expect(await of(`/hc/${secret}/dc01/down`, 'POST')).to.equal(hidden)
      expect(await of('/other')).to.match(/^418/)
    })
  })

  it('are not answered in the clear', () => {
    const page = votePages({
      secret: 'a-secret-of-the-cell',
      asserted: () => new Set(),
      answer: () => 'votes',
    })
    let status = 0
    const response = { writeHead: (code: number) => (status = code), end: () => undefined }
    page(
      { url: `/hc/a-secret-of-the-cell/votes?nonce=${nonceOf}`, method: 'GET', socket: {} } as never,
      response as never,
    )
    expect(status).to.equal(404)
  })
})
