import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { smtpMailer } from '#platform/identity/smtp.ts'

describe('Letters', () => {
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
      id: '0197a4c2',
    })
    server.close()
    const text = received.join('')
    expect(text.match(/RCPT TO:<[^>]*>/gi)).to.deep.equal(['RCPT TO:<ann@example.com>'])
    expect(text).to.include('MAIL FROM:<cinque@example.com>').and.include('Subject: You are invited: cinque')
    expect(text).to.include('Message-ID: <0197a4c2@example.com>')
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
