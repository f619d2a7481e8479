import type { Cell } from './cell.ts'
import { sendJson } from './entries.ts'
import type { Member } from './member.ts'

/** Processes in contact have this long to answer. */
const ANSWER_MS = 2000
/** Questions under way at a time; more are refused. */
const QUESTIONS = 200

interface Question {
  readonly waiting: Set<Member>
  readonly answers: unknown[]
  readonly done: () => void
}

/** Questions to all processes in contact, and their answers. */
export class Questions {
  readonly #cell: Cell
  readonly #type: number
  readonly #underWay = new Map<number, Question>()
  #lastId = 0

  /** `type` of the entries that ask. */
  constructor(cell: Cell, type: number) {
    this.#cell = cell
    this.#type = type
  }

  /** Resolves within 2 s with what has been answered; `complete`: by all. Throws RangeError: too many at a time. */
  ask(question: object): Promise<{ answers: unknown[]; complete: boolean }> {
    const cell = this.#cell
    if (this.#underWay.size >= QUESTIONS)
      throw new RangeError(`${QUESTIONS} questions to other processes are under way; try again`)
    const id = ++this.#lastId
    const waiting = new Set<Member>()
    for (const member of cell.members()) if (member.peer.inContact) waiting.add(member)
    return new Promise((resolve) => {
      const answers: unknown[] = []
      const done = (): void => {
        timer.cancel()
        this.#underWay.delete(id)
        resolve({ answers, complete: waiting.size === 0 })
      }
      const timer = cell.timers.after(ANSWER_MS, done)
      if (waiting.size === 0) return done()
      this.#underWay.set(id, { waiting, answers, done })
      for (const { peer } of waiting) sendJson(peer, this.#type, { id, ...question })
    })
  }

  answered(member: Member, id: number, answer: unknown): void {
    const question = this.#underWay.get(id)
    if (question === undefined || !question.waiting.delete(member)) return
    question.answers.push(answer)
    if (question.waiting.size === 0) question.done()
  }

  gone(member: Member): void {
    for (const { waiting, done } of this.#underWay.values())
      if (waiting.delete(member) && waiting.size === 0) done()
  }
}
