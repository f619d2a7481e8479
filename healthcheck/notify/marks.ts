import { z } from 'zod'

/** What a checker has told a receiver, or is about to. */
export interface Mark {
  /** Name of the receiver. */
  readonly channel: string
  /** Of the alert. */
  readonly key: string
  readonly news: 'firing' | 'resolved'
  /** Milliseconds since then, by the clock of who says so. */
  readonly ageMs: number
  /** The receiver has taken it; else it is being sent. */
  readonly taken: boolean
}

/** Marks that a checker shows, and takes from another one. */
export const maxMarks = 2000

const marks = z
  .array(
    z.object({
      channel: z.string().max(80),
      key: z.string().max(160),
      news: z.enum(['firing', 'resolved']),
      ageMs: z.number().min(0),
      taken: z.boolean(),
    }),
  )
  .max(maxMarks)

/** What another checker's page says. Throws if it is none. */
export function marksOf(text: string): Mark[] {
  return marks.parse(JSON.parse(text))
}
