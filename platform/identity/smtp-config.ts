import { z } from 'zod'
import type { SmtpOptions } from './smtp.ts'

/** How letters are sent, in a configuration. */
export const smtpConfig = z.strictObject({
  host: z.string().min(1).describe('mail server'),
  port: z.number().int().min(1).max(65_535).default(587).describe('its port'),
  tls: z
    .enum(['starttls', 'implicit', 'none'])
    .default('starttls')
    .describe('implicit: TLS from the first byte (465); none: for a server on this host only'),
  username: z.string().optional().describe('user of the mail server'),
  password_file: z.string().optional().describe("file with that user's password"),
  from: z.string().min(3).describe('sender of the letters'),
})

/** What `smtpMailer` needs of it. `password`: what the file says. */
export function smtpOptions(
  { host, port, tls, username, from }: z.output<typeof smtpConfig>,
  password: string | undefined,
): SmtpOptions {
  return { host, port, implicitTls: tls === 'implicit', plain: tls === 'none', username, password, from }
}
