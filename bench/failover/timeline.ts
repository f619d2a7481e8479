/** What is noted of a fault, in the order in which it should happen; seconds from the fault, or from its end. */
export const marks = {
  vote: 'first vote',
  quorum: 'quorum',
  dns: 'DNS answer changed',
  there: '99 % of devices connected elsewhere',
  half: '50 % of devices back',
  most: '99 % of devices back',
  users: 'users back',
  up: 'a checker says up again',
  begun: 'failback begun',
  done: 'failback done',
} as const
export type Mark = keyof typeof marks

/** When what happened, from the fault on; what comes after its end counts from there. */
export class Timeline {
  readonly #say: (line: string) => void
  readonly #seconds = new Map<Mark, number>()
  #from = performance.now()

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  /** The fault, or its end, is now. */
  begin(what: string): void {
    this.#from = performance.now()
    this.#say(`   0.0 s  ${what}`)
  }

  /** Milliseconds (`performance.now`) of the last `begin`. */
  get from(): number {
    return this.#from
  }

  has(mark: Mark): boolean {
    return this.#seconds.has(mark)
  }

  /** Notes what has happened for the first time; `at` as of `performance.now`. */
  note(mark: Mark, at = performance.now(), more = ''): void {
    if (this.#seconds.has(mark)) return
    const seconds = (at - this.#from) / 1000
    this.#seconds.set(mark, seconds)
    this.#say(`${seconds.toFixed(1).padStart(6)} s  ${marks[mark]}${more === '' ? '' : `: ${more}`}`)
  }

  all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#seconds)
  }

  /** Undefined: it has not happened. */
  seconds(mark: Mark): number | undefined {
    return this.#seconds.get(mark)
  }
}
