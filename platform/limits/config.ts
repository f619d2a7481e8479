import { z } from 'zod'

const rate = (fallback: number, of: string) =>
  z
    .number()
    .min(0)
    .default(fallback)
    .describe(`requests a second ${of}; ten seconds of it may come at once; 0: no limit`)

/** What a process that serves HTTP is told about its clients. */
export const httpConfig = z.strictObject({
  organisation_rate: rate(1000, 'of one organisation, to one process'),
  caller_rate: rate(200, 'of one user, API key or token'),
  device_rate: rate(20, 'of one device'),
  address_rate: rate(500, 'from one address, whoever asks'),
  failure_rate: rate(1, 'from one address that show no valid key, before more are looked at'),
  cors_origins: z
    .array(z.string().regex(/^(?:\*|https?:\/\/[^/\s]+)$/, 'must be like https://console.example.org, or *'))
    .default([])
    .describe('origins whose pages may call the API from a browser; *: all'),
  trusted_proxies: z
    .array(z.string())
    .default([])
    .describe(
      'addresses or networks of proxies whose X-Forwarded-For is believed, as loopback or 10.0.0.0/8',
    ),
})

export type HttpConfig = z.output<typeof httpConfig>
