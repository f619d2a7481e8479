import { z } from 'zod'

/** The status page, in the file of a checker. */
export const statusConfig = z.strictObject({
  title: z.string().min(1).max(100).optional().describe('what the page is called (default: of the cell)'),
  url: z
    .string()
    .regex(
      /^https?:\/\/[^\s#?]+[^\s#?/]$/,
      'must be like https://status.example.org, without a slash at its end',
    )
    .optional()
    .describe('where people read the page; links in the feed and in messages begin with it'),
  publish: z
    .string()
    .min(1)
    .optional()
    .describe('directory that the page is written to each minute and at each change, for another web server'),
  objective: z
    .number()
    .min(50)
    .max(99.999)
    .default(99.9)
    .describe('percent of a month that the service is promised to be available'),
  response_probe: z.string().min(1).default('rest-read').describe('probe whose times the page shows'),
})

export type StatusConfig = z.output<typeof statusConfig>
