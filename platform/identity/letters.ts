import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from '../log.ts'
import type { Job, Outbox } from '../outbox/outbox.ts'
import type { JobKind } from '../outbox/worker.ts'
import type { Purpose } from './one-time.ts'

export interface Letter {
  readonly to: string
  readonly subject: string
  readonly text: string
  /** The same when it is sent again, so that who has it already knows. */
  readonly id?: string
}

/** Hands a letter to a mail server. Rejects when that did not take it. */
export type Mailer = (letter: Letter) => Promise<void>

const subjects: Readonly<Record<Exclude<Purpose, 'setup'>, string>> = {
  invitation: 'You are invited',
  reset: 'A new password',
}

/** A letter as it waits. Its token is in the store in the clear until it is sent. */
type Waiting =
  | { readonly about: 'fleet'; readonly to: string; readonly subject: string; readonly text: string }
  | {
      readonly about: Exclude<Purpose, 'setup'>
      /** Null: to nobody. */
      readonly to: string | null
      readonly token: string
      readonly words: string
    }

/**
 * Letters to people, by the outbox: one whose promise has resolved is sent, whatever becomes of this process. Without a
 * mail server links are in the log, for the operator to pass on.
 */
export class Letters {
  /** Where people reach the API: `https://iot.example.com`. */
  base: string
  readonly #mailer: Mailer | undefined
  readonly #outbox: Outbox
  readonly #isGood: (purpose: Purpose, token: string) => Promise<boolean>
  readonly #log: Logger
  /** Told that something was put into the outbox. */
  onPut: () => void = () => undefined

  constructor(options: {
    mailer?: Mailer | undefined
    base?: string | undefined
    outbox: Outbox
    /** Whether a link opens something now. */
    isGood: (purpose: Purpose, token: string) => Promise<boolean>
    log: Logger
  }) {
    this.base = options.base ?? ''
    this.#mailer = options.mailer
    this.#outbox = options.outbox
    this.#isGood = options.isGood
    this.#log = options.log
  }

  /** Whether there is a mail server. */
  get sendable(): boolean {
    return this.#mailer !== undefined
  }

  /** In the fragment, which browsers keep to themselves. */
  link(kind: Purpose, token: string): string {
    return `${this.base}/account#${kind}=${token}`
  }

  /**
   * A link; it is sent when the token is good, and not at all if it does not become so. `to` null: nobody gets it, in the
   * same time. PlatformError `overloaded`.
   */
  async send(
    about: Exclude<Purpose, 'setup'>,
    to: string | null,
    token: string,
    words: string,
  ): Promise<void> {
    if (this.#mailer === undefined) {
      if (to === null) return
      this.#log.warn(
        { event: 'identity.link', kind: about, to, link: this.link(about, token) },
        'no mail server is configured: pass on this link',
      )
      return
    }
    await this.#put(randomUUIDv7(), { about, to, token, words })
  }

  /** Something that administrators should know. With the same id it is the same letter. Not without a mail server. */
  async tell(id: string, { to, subject, text }: Letter): Promise<void> {
    if (this.#mailer !== undefined) await this.#put(id, { about: 'fleet', to, subject, text })
  }

  /** For the worker of the outbox. */
  readonly kind: JobKind = {
    name: 'letter',
    check: async ({ spec }) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own
      const waiting = spec as Waiting
      if (waiting.about === 'fleet') return 'so'
      return (await this.#isGood(waiting.about, waiting.token)) ? 'so' : 'unknown'
    },
    perform: async ({ id, spec }: Job) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own
      const letter = this.#letterOf(spec as Waiting)
      if (letter !== null) await this.#mailer?.({ ...letter, id })
    },
  }

  async #put(id: string, spec: Waiting): Promise<void> {
    await this.#outbox.put({ id, kind: this.kind.name, spec })
    this.onPut()
  }

  #letterOf(waiting: Waiting): Letter | null {
    const { about, to } = waiting
    if (to === null) return null
    if (about === 'fleet') return { to, subject: waiting.subject, text: waiting.text }
    const text = `${waiting.words}\n\n${this.link(about, waiting.token)}\n`
    return { to, subject: `${subjects[about]}: cinque`, text }
  }
}
