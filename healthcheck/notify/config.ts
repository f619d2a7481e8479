import { z } from 'zod'
import { smtpConfig } from '#platform/identity/smtp-config.ts'

const file = (what: string) => z.string().min(1).describe(`${what}; relative to this file`)

const email = z.strictObject({
  smtp: smtpConfig,
  to: z.array(z.email()).min(1).max(50).describe('who gets letters'),
})

const hook = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .refine(
      (url) => url.startsWith('https:') || /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)[:/]/.test(url),
      {
        message: 'must be https; http is for this host only',
      },
    )
    .describe('gets a POST signed as Standard Webhooks say'),
  secret_file: file('file with the secret that signs it: whsec_ and base64 of 24 to 64 bytes'),
})

/** Who is told of alerts, in the file of a checker. */
export const notifyConfig = z.strictObject({
  email: email.optional(),
  webhooks: z.array(hook).max(20).default([]),
  repeat_hours: z.number().min(0.1).max(168).default(4).describe('what lasts is sent again after that time'),
  runbooks: z
    .string()
    .min(1)
    .default('docs/operations/alerts')
    .describe('where what to do is written; the alert is appended as /Name.md'),
})
