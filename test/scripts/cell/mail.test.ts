import { expect } from 'chai'
import { smtpConfig as smtp } from '#platform/identity/smtp-config.ts'
import { identityOptions, publicUrl } from '#scripts/cell/mail.ts'

const read = (file: string): string => `secret of ${file}`

describe('How a cell sends letters', () => {
  it('is by SMTP with TLS and links to the public URL, or not at all', () => {
    expect(identityOptions({ public_url: 'https://iot.example.com' }, read)).to.deep.equal({
      publicUrl: 'https://iot.example.com',
    })
    const server = smtp.parse({ host: 'mail.example.com', from: 'cinque@example.com' })
    expect(server).to.include({ port: 587, tls: 'starttls' })
    const options = identityOptions({ smtp: server, public_url: 'https://iot.example.com' }, read)
    expect(options.mailer).to.be.a('function')
  })

  it('is refused where something is missing, by the name of the key', () => {
    const server = smtp.parse({ host: 'mail.example.com', from: 'cinque@example.com' })
    expect(() => identityOptions({ smtp: server }, read)).to.throw('public_url')
    const half = { smtp: { ...server, username: 'u' }, public_url: 'https://iot.example.com' }
    expect(() => identityOptions(half, read)).to.throw('password_file')
    for (const url of [
      'iot.example.com',
      'https://iot.example.com/',
      'https://a b',
      'javascript:x',
      'https://a#b',
    ])
      expect(publicUrl.safeParse(url).success, url).to.equal(false)
  })
})
