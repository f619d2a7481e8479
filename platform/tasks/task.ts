/** `receiving`: its input is still coming; the last three are the ends. */
export const taskStates = ['receiving', 'queued', 'running', 'completed', 'failed', 'cancelled'] as const
export type TaskState = (typeof taskStates)[number]

/** Work on many things, of which a person wants to know how far it is and what became of each. */
export interface Task {
  readonly org: string
  /** UUID v7. */
  readonly id: string
  readonly kind: string
  readonly state: TaskState
  /** What the kind wants to know. */
  readonly spec: unknown
  /** Who asked for it, in words. */
  readonly actor: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly counts: TaskCounts
  /** Parts of its input, and how many of them are done. */
  readonly parts: number
  readonly partsDone: number
  /** Why it failed. */
  readonly error: string | null
}

export interface TaskCounts {
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
}

/** What became of one item: an object that begins with its number and this. */
export interface ItemResult {
  readonly status: string
  /** Under what it counts. */
  readonly counts: 'succeeded' | 'failed' | 'skipped'
  readonly [field: string]: unknown
}

/** A kind of task. Items are what its input has, any JSON. */
export interface TaskKind {
  readonly name: string
  /**
   * Does a part; `first` is the number of its first item, from 1. It may be done again after the process has died in
   * the middle, and then must come to the same end. Results in order of the items. Rejects with StoreError to be
   * called again later.
   */
  run(task: Task, items: readonly unknown[], first: number, secret: Uint8Array | null): Promise<ItemResult[]>
  /** Adds to a result when it is shown what must not be stored. */
  reveal?(result: ItemResult, item: number, secret: Uint8Array): ItemResult
}

export function isOver({ state }: Pick<Task, 'state'>): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}
