import type { Mailer } from '#platform/identity/letters.ts'
import { type Message, subjectOf, textOf } from './message.ts'

/** One receiver of messages. */
export interface Channel {
  /** The same at all checkers that send to it, and says nothing of an address. */
  readonly name: string
  readonly kind: 'mail' | 'webhook'
  /** Resolves when the receiver has taken it. */
  send(message: Message): Promise<void>
}

/** Letters to one person. */
export function mail({ name, to, mailer }: { name: string; to: string; mailer: Mailer }): Channel {
  return {
    name,
    kind: 'mail',
    send: (message) => mailer({ to, subject: subjectOf(message), text: textOf(message), id: message.id }),
  }
}
