import { z } from 'zod'
import type { Ballot, Hold } from './ballot.ts'
import type { Vote } from './vote.ts'

/** What a checker answers to a nonce. */
export interface Message {
  /** Name of the cell, so that the votes of another one are no votes here. */
  readonly cell: string
  readonly checker: string
  /** Of whoever asks: an answer to another question is not one to this. */
  readonly nonce: string
  /** Of the process: made anew at each start. */
  readonly boot: string
  /** Grows with every answer of a process. */
  readonly sequence: number
  readonly votes: Ballot['votes']
  readonly holds: Ballot['holds']
}

/** 16 random bytes in base64url. */
export const noncePattern = /^[A-Za-z0-9_-]{22}$/
/** Bytes of an answer: 1,032 subjects with reasons fit in, see `reasonLength`. */
export const maxAnswer = 512 * 1024
const reasonLength = 200

const name = z.string().min(1).max(64)
/** A later version adds fields, which this one does not look at. */
const answerShape = z.object({ signed: z.string().max(maxAnswer), signature: z.string().max(200) })
const messageShape = z.object({
  v: z.literal(1),
  cell: name,
  checker: name,
  nonce: z.string().regex(noncePattern),
  boot: z.string().min(1).max(64),
  sequence: z.int().min(0),
  votes: z
    .array(
      z.object({
        subject: name,
        verdict: z.enum(['up', 'degraded', 'down', 'abstain']),
        since: z.number(),
        reason: z.string().max(reasonLength).optional(),
      }),
    )
    .max(2000),
  holds: z
    .array(
      z.object({
        subject: name,
        down: z.boolean(),
        degraded: z.boolean(),
        out: z.boolean(),
        percent: z.number().min(0).max(100),
      }),
    )
    .max(2000),
})

/** The text that is signed. */
export function messageText({ votes, holds, ...rest }: Message): string {
  const message: z.input<typeof messageShape> = {
    v: 1,
    ...rest,
    votes: Array.from(votes.values(), ({ subject, verdict, since, reason }) => ({
      subject,
      verdict,
      since,
      ...(reason === undefined ? {} : { reason: reason.slice(0, reasonLength) }),
    })),
    holds: Array.from(holds, ([subject, hold]) => ({ subject, ...hold })),
  }
  return JSON.stringify(message)
}

export function answerText(signed: string, signature: string): string {
  return JSON.stringify({ signed, signature })
}

/** Undefined: it is not of this shape. */
export function parseAnswer(text: string): { signed: string; signature: string } | undefined {
  return answerShape.safeParse(json(text)).data
}

/** To be called with text whose signature is good. Undefined: it is not of this shape. */
export function parseMessage(signed: string): Message | undefined {
  const { data } = messageShape.safeParse(json(signed))
  if (data === undefined) return undefined
  const { v: _, votes, holds, ...rest } = data
  const { checker } = rest
  return {
    ...rest,
    votes: new Map(
      votes.map(({ subject, verdict, since, reason }): [string, Vote] => [
        subject,
        { checker, subject, verdict, since, ...(reason === undefined ? {} : { reason }) },
      ]),
    ),
    holds: new Map(holds.map(({ subject, ...hold }): [string, Hold] => [subject, hold])),
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
