import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { mail } from '#healthcheck/notify/channel.ts'
import { notifyConfig } from '#healthcheck/notify/config.ts'
import type { Message } from '#healthcheck/notify/message.ts'
import { signedHeaders, webhook, webhookKey } from '#healthcheck/notify/webhook.ts'
import { smtpMailer } from '#platform/identity/smtp.ts'
import { mailServer } from './mail-server.ts'

const message: Message = {
  id: 'msg_1',
  cell: 'acme',
  checker: 'c1',
  at: Date.UTC(2026, 10, 21, 14, 3),
  url: 'https://status.example.org',
  runbooks: 'https://example.org/alerts',
  items: [
    {
      news: 'firing',
      alert: {
        name: 'DcDown',
        subject: 'dc03',
        severity: 'critical',
        key: 'DcDown/dc03',
        since: Date.UTC(2026, 10, 21, 14),
        summary: 'dc03 is down: refused\r\nBcc: eve@example.com\r\n\r\n<script>',
      },
    },
    {
      news: 'resolved',
      alert: {
        name: 'HostDown',
        subject: 'dc01-app1\r\nX-Evil: 1',
        severity: 'warning',
        key: 'HostDown/dc01-app1',
        since: 0,
        summary: 'was down',
      },
    },
  ],
}

describe('A letter about alerts', () => {
  it('says in its subject what it is, has a runbook, and nothing that a probe said becomes a header', async () => {
    const server = await mailServer()
    const mailer = smtpMailer({
      host: '127.0.0.1',
      port: server.port,
      implicitTls: false,
      plain: true,
      from: 'cinque@example.com',
    })
    await mail({ name: 'mail:1', to: 'ann@example.com', mailer }).send(message)
    server.close()
    expect(server.letters).to.have.length(1)
    const [{ to, text }] = server.letters
    expect(to).to.deep.equal(['ann@example.com'])
    const [head, body] = [text.slice(0, text.indexOf('\n\n')), text.slice(text.indexOf('\n\n'))]
    expect(head).to.match(/^Subject: \[acme\] critical: DcDown dc03 and 1 more, 1 resolved$/m)
    expect(head).to.not.match(/^(?:Bcc|X-Evil)/im)
    expect(body).to.include('DcDown dc03 (critical), since 2026-11-21 14:00 UTC')
    expect(body.replaceAll('=\n', '')).to.include('What to do: https://example.org/alerts/DcDown.md')
  })

  it('that is refused is a failure, so that it is tried again', async () => {
    const server = await mailServer()
    server.refuse = true
    const mailer = smtpMailer({
      host: '127.0.0.1',
      port: server.port,
      implicitTls: false,
      plain: true,
      from: 'cinque@example.com',
    })
    const failed = await mail({ name: 'mail:1', to: 'ann@example.com', mailer })
      .send(message)
      .catch((error: Error) => error)
    expect(failed).to.be.instanceOf(Error)
    server.close()
  })
})

describe('A webhook about alerts', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  let server: Server
  let url: string
  let got: { headers: IncomingHttpHeaders; body: string }[]
  let status = 204
  beforeEach(async () => {
    got = []
    status = 204
    server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => (body += chunk))
      request.on('end', () => {
        got.push({ headers: request.headers, body })
        response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end()
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  })
  afterEach(() => server.close())

  it('is signed, so that the receiver knows who sent it', async () => {
    await webhook({ name: 'webhook:1', url, key: webhookKey(secret) ?? Buffer.of() }).send(message)
    const [{ headers, body }] = got
    const content = [headers['webhook-id'], headers['webhook-timestamp'], body].join('.')
    const expected = createHmac('sha256', Buffer.alloc(32, 7)).update(content).digest('base64')
    expect(headers).to.include({
      'webhook-signature': `v1,${expected}`,
      'webhook-id': 'msg_1',
      'content-type': 'application/json',
    })
    const { type, data } = JSON.parse(body)
    expect(type).to.equal('alerts')
    expect(data.alerts.map(({ key, state }: { key: string; state: string }) => [key, state])).to.deep.equal([
      ['DcDown/dc03', 'firing'],
      ['HostDown/dc01-app1', 'resolved'],
    ])
  })

  it('has the signature of the example of the specification', () => {
    const key = webhookKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') ?? Buffer.of()
    const body = '{"test": 2432232314}'
    const { 'webhook-signature': signature } = signedHeaders(key, {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      at: 1_614_265_330,
      body,
    })
    expect(signature).to.equal('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  it('that is refused or sent elsewhere has failed', async () => {
    const channel = webhook({ name: 'webhook:1', url, key: webhookKey(secret) ?? Buffer.of() })
    for (const answer of [500, 404, 302]) {
      status = answer
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const failed = await channel.send(message).catch((error: Error) => error)
      expect(failed, String(answer)).to.be.instanceOf(Error)
    }
    expect(got.every(({ headers }) => headers['webhook-id'] === 'msg_1')).to.equal(true)
    expect(got).to.have.length(3)
  })

  it('has a good secret and goes over TLS, or is refused by the field', () => {
    for (const bad of [
      '',
      'secret',
      'whsec_',
      `whsec_${'A'.repeat(16)}`,
      `whsec_${Buffer.alloc(65).toString('base64')}`,
    ])
      expect(webhookKey(bad), bad).to.equal(null)
    const issue = (webhooks: object[]) => notifyConfig.safeParse({ webhooks }).error?.issues[0]
    expect(issue([{ url: 'http://example.org/hook', secret_file: 's' }])?.path).to.deep.equal([
      'webhooks',
      0,
      'url',
    ])
    expect(issue([{ url: 'ftp://example.org/hook', secret_file: 's' }])?.path).to.deep.equal([
      'webhooks',
      0,
      'url',
    ])
    expect(issue([{ url: 'https://example.org/hook', secret_file: 's' }])).to.equal(undefined)
  })
})
