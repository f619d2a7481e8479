import { z } from 'zod'
import type { IdentityOptions } from '#platform/identity/identity.ts'
import { smtpMailer } from '#platform/identity/smtp.ts'
import { type smtpConfig, smtpOptions } from '#platform/identity/smtp-config.ts'
import { CliError } from '#scripts/output.ts'

export const publicUrl = z
  .string()
  .regex(/^https?:\/\/[^\s#?]+[^\s#?/]$/, 'must be like https://iot.example.com, without a slash at its end')
  .describe('where people reach the API; links in letters begin with it')

/** CliError with exit code 2. */
export function identityOptions(
  file: { smtp?: z.output<typeof smtpConfig> | undefined; public_url?: string | undefined },
  readSecret: (file: string, key: string) => string,
): Pick<IdentityOptions, 'mailer' | 'publicUrl'> {
  if (file.smtp === undefined) return { publicUrl: file.public_url }
  const { username, password_file: passwordFile } = file.smtp
  if ((username === undefined) !== (passwordFile === undefined))
    throw new CliError('smtp: username and password_file go together', { exitCode: 2 })
  if (file.public_url === undefined)
    throw new CliError('public_url is missing: links in letters begin with it', { exitCode: 2 })
  const password = passwordFile === undefined ? undefined : readSecret(passwordFile, 'smtp.password_file')
  return { publicUrl: file.public_url, mailer: smtpMailer(smtpOptions(file.smtp, password)) }
}
