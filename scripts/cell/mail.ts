import { z } from 'zod'
import type { IdentityOptions } from '#platform/identity/identity.ts'
import { smtpMailer } from '#platform/identity/smtp.ts'
import { CliError } from '#scripts/output.ts'

/** How invitations and links for new passwords are sent. */
export const smtp = z.strictObject({
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

export const publicUrl = z
  .string()
  .regex(/^https?:\/\/[^\s#?]+[^\s#?/]$/, 'must be like https://iot.example.com, without a slash at its end')
  .describe('where people reach the API; links in letters begin with it')

/** CliError with exit code 2. */
export function identityOptions(
  file: { smtp?: z.output<typeof smtp> | undefined; public_url?: string | undefined },
  readSecret: (file: string, key: string) => string,
): Pick<IdentityOptions, 'mailer' | 'publicUrl'> {
  if (file.smtp === undefined) return { publicUrl: file.public_url }
  const { host, port, tls, username, password_file: passwordFile, from } = file.smtp
  if ((username === undefined) !== (passwordFile === undefined))
    throw new CliError('smtp: username and password_file go together', { exitCode: 2 })
  if (file.public_url === undefined)
    throw new CliError('public_url is missing: links in letters begin with it', { exitCode: 2 })
  const password = passwordFile === undefined ? undefined : readSecret(passwordFile, 'smtp.password_file')
  const server = { host, port, implicitTls: tls === 'implicit', plain: tls === 'none' }
  return { publicUrl: file.public_url, mailer: smtpMailer({ ...server, username, password, from }) }
}
