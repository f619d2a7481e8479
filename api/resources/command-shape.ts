import type { Request } from 'express'
import { z } from 'zod'
import { commandLimits, commandName } from '#platform/commands/command.ts'
import type { CommandView, NewCommand } from '#platform/commands/commands.ts'
import { commandStates } from '#platform/commands/facts.ts'
import { callerId } from '../caller-id.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'

const day = 86_400
const maxWait = 60

const seconds = (max: number): z.ZodInt => z.int().min(1).max(max)

/** What is asked, of one device or of many. */
export const requestFields = {
  name: z
    .string()
    .regex(commandName, 'must be 1 to 64 of A-Z, a-z, 0-9, _, ., : and -, not ., : or - first')
    .describe('`method` of the message that the device gets'),
  params: z.json().optional().describe(`JSON of at most ${commandLimits.params} bytes`),
  ttl: seconds(commandLimits.ttl / 1000)
    .default(day)
    .describe('seconds in which it must be delivered; then it has expired'),
  timeout: seconds(commandLimits.timeout / 1000)
    .default(60)
    .describe('seconds from delivery, or from the last progress, to the answer; then it has timed out'),
  retries: z
    .int()
    .min(0)
    .max(commandLimits.retries)
    .default(0)
    .describe('how often it is sent again when the timeout has passed, within the ttl'),
  one_way: z
    .boolean()
    .default(false)
    .describe('no answer is expected: it has succeeded when it is delivered'),
}

const time = z.iso.datetime().nullable()
const state = z.enum(commandStates)
export const command = z
  .object({
    id: z.string(),
    device: z.string().describe('id of the device'),
    batch: z.string().nullable(),
    name: z.string(),
    params: z.unknown(),
    state,
    ttl: z.number(),
    timeout: z.number(),
    retries: z.int(),
    one_way: z.boolean(),
    attempt: z.int().describe('how often it was sent because of a timeout, and the first time; 0: not yet'),
    created_at: z.iso.datetime(),
    created_by: z.string().nullable(),
    expires_at: z.iso.datetime(),
    sent_at: time.describe('when this attempt was written to a connection of the device'),
    delivered_at: time.describe("when the device acknowledged it: its own PUBACK, not the broker's"),
    progress: z
      .object({ at: z.iso.datetime(), percent: z.number().nullable(), message: z.string().nullable() })
      .nullable()
      .describe("the device's newest word that it is at it"),
    ended_at: time,
  })
  .meta({ id: 'Command' })
export const states = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(state).min(1))
  .optional()
  .describe('only in these states, separated by commas; a page may then be short though there is a next one')
export const waitQuery = z
  .string()
  .regex(/^\d{1,2}s?$/, 'must be seconds, like 30s')
  .transform((text) => Number.parseInt(text, 10))
  .pipe(z.int().max(maxWait))
  .optional()
  .describe(`seconds (30s; at most ${maxWait}) to wait for its end; then it is answered as it is`)

type Asked = z.output<z.ZodObject<typeof requestFields>>

export function inputOf(body: Asked, caller: Caller | null): NewCommand {
  return {
    name: body.name,
    params: body.params,
    ttl: body.ttl * 1000,
    timeout: body.timeout * 1000,
    retries: body.retries,
    oneWay: body.one_way,
    by: nameOf(caller),
  }
}

/** Who asked, as commands and twins keep it. */
export function nameOf(caller: Caller | null): string | undefined {
  return caller === null ? undefined : callerId(caller).id
}

export function shown({ command: one, facts, outcome }: CommandView): z.input<typeof command> {
  const { running } = facts
  return {
    id: one.id,
    device: one.device,
    batch: one.batch ?? null,
    name: one.name,
    params: one.params === undefined ? null : JSON.parse(one.params),
    state: outcome.state,
    ttl: (one.expiresAt - one.createdAt) / 1000,
    timeout: one.timeout / 1000,
    retries: one.retries,
    one_way: one.oneWay,
    attempt: facts.attempt,
    created_at: new Date(one.createdAt).toISOString(),
    created_by: one.createdBy ?? null,
    expires_at: new Date(one.expiresAt).toISOString(),
    sent_at: timeOf(facts.sentAt),
    delivered_at: timeOf(facts.deliveredAt),
    progress:
      running === undefined
        ? null
        : {
            at: new Date(running.at).toISOString(),
            percent: running.progress ?? null,
            message: running.message ?? null,
          },
    ended_at: timeOf(outcome.endedAt),
  }
}

function timeOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString()
}

/** Aborted when nobody waits for the answer any more, or the process stops. */
export function untilGone(request: Request, { stopping }: ApiDeps): AbortSignal {
  const gone = new AbortController()
  request.res?.on('close', () => gone.abort())
  return stopping === undefined ? gone.signal : AbortSignal.any([gone.signal, stopping])
}
