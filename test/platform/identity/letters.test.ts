import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { type Letter, Letters } from '#platform/identity/letters.ts'
import { smtpMailer } from '#platform/identity/smtp.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import type { Timers } from '#platform/timers.ts'

const log = createLogger({ level: 'silent' })

/** Timers that ring at once. */
const impatient: Timers = {
  monotonic: () => 0,
  after: (_ms, then) => {
    setImmediate(then)
    return { cancel: () => undefined }
  },
  every: () => ({ cancel: () => undefined }),
  soon: (then) => void setImmediate(then),
}

describe('Letters', () => {
  it('are sent one after the other, and tried again when the mail server refuses', async () => {
    const metrics = new Metrics()
    const sent: Letter[] = []
    let failures = 2
    const all = Promise.withResolvers<void>()
    const letters = new Letters({
      base: 'https://iot.example.com',
      log,
      metrics,
      timers: impatient,
      mailer: (letter) => {
        if (failures-- > 0) return Promise.reject(new Error('451 try again'))
        sent.push(letter)
        if (sent.length === 2) all.resolve()
        return Promise.resolve()
      },
    })
    letters.send('invitation', 'ann@example.com', 'i_1', 'Come in:')
    letters.send('reset', 'bob@example.com', 'p_2', 'Here:')
    await all.promise
    expect(sent.map(({ to, text }) => [to, text])).to.deep.equal([
      ['ann@example.com', 'Come in:\n\nhttps://iot.example.com/account#invitation=i_1\n'],
      ['bob@example.com', 'Here:\n\nhttps://iot.example.com/account#reset=p_2\n'],
    ])
  })

  it('that nobody takes are dropped and counted, and so are those too many', async () => {
    const metrics = new Metrics()
    const hold = Promise.withResolvers<void>()
    const letters = new Letters({ log, metrics, mailer: () => hold.promise })
    for (let i = 0; i < 1003; i++) letters.send('reset', 'ann@example.com', 'p_1', '')
    expect(metrics.render()).to.match(/cinque_mail_dropped_total\{reason="queue_full"\} 2\n/)
    letters.close()
    expect(metrics.render()).to.match(/cinque_mail_dropped_total\{reason="refused"\} 1000\n/)
    hold.resolve()
  })

  it('are spoken in SMTP to the mail server, to one receiver', async () => {
    const { server, received, port } = await mailServer()
    const mailer = smtpMailer({
      host: '127.0.0.1',
      port,
      implicitTls: false,
      plain: true,
      from: 'cinque@example.com',
    })
    await mailer({
      to: 'ann@example.com',
      subject: 'You are invited: cinque',
      text: 'Come in:\n\nhttps://x/account#i',
    })
    server.close()
    const text = received.join('')
    expect(text.match(/RCPT TO:<[^>]*>/gi)).to.deep.equal(['RCPT TO:<ann@example.com>'])
    expect(text).to.include('MAIL FROM:<cinque@example.com>').and.include('Subject: You are invited: cinque')
  })

  it('do not go out in the open: a server without TLS is refused', async () => {
    const { server, received, port } = await mailServer()
    const mailer = smtpMailer({ host: '127.0.0.1', port, implicitTls: false, from: 'cinque@example.com' })
    const refused = await mailer({ to: 'ann@example.com', subject: 's', text: 'secret' }).catch(
      (error: Error) => error,
    )
    expect(refused).to.be.instanceOf(Error)
    server.close()
    expect(received.join('')).to.not.include('MAIL FROM')
  })
})

/** A mail server that takes everything and knows no TLS. */
async function mailServer(): Promise<{ server: Server; received: string[]; port: number }> {
  const received: string[] = []
  const server = createServer((socket) => {
    let data = false
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.write('220 test\r\n')
    socket.on('data', (chunk: string) => {
      received.push(chunk)
      if (data) {
        if (!chunk.endsWith('\r\n.\r\n')) return
        data = false
        socket.write('250 taken\r\n')
      } else if (/^DATA/i.test(chunk)) {
        data = true
        socket.write('354 go on\r\n')
      } else if (/^QUIT/i.test(chunk)) socket.end('221 bye\r\n')
      else socket.write('250 ok\r\n')
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return { server, received, port: (server.address() as AddressInfo).port }
}
