import { createTransport } from 'nodemailer'
import type { Mailer } from './letters.ts'

export interface SmtpOptions {
  readonly host: string
  readonly port: number
  /** TLS from the first byte (465); else STARTTLS. */
  readonly implicitTls: boolean
  /** The password would be sent, and the letter, in the open: for a server on this host only. */
  readonly plain?: boolean | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Sender. */
  readonly from: string
}

const timeoutMs = 20_000

/** Sends by SMTP. */
export function smtpMailer(options: SmtpOptions): Mailer {
  const { host, port, implicitTls, plain, username, password, from } = options
  const transport = createTransport({
    host,
    port,
    secure: implicitTls,
    requireTLS: plain !== true,
    ignoreTLS: plain === true,
    connectionTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(username === undefined ? {} : { auth: { user: username, pass: password ?? '' } }),
  })
  const domain = /@([\w.-]+)/.exec(from)?.[1] ?? 'cinque'
  return async ({ to, subject, text, id }) => {
    // As an object, so that nothing in an address can add a receiver.
    const named = id === undefined ? {} : { messageId: `<${id}@${domain}>` }
    await transport.sendMail({ from, to: { name: '', address: to }, subject, text, ...named })
  }
}
