import { ApiError, UnexpectedAnswerError, UnreachableError } from './errors.ts'
import { serverSentEvents } from './events.ts'
import { pause } from './pause.ts'

/** One event of a stream, its data parsed. */
export interface LiveEvent {
  /** From here a later stream can go on. */
  readonly id: string | undefined
  /** `telemetry`, `presence`, `command`, ...; `gap` and `missed` say that something is missing before this. */
  readonly event: string
  readonly data: unknown
}

interface Following {
  readonly signal: AbortSignal | undefined
  readonly lastEventId?: string
  readonly onOpen?: () => void
  readonly onBreak?: (error: unknown) => void
  /** Opens the stream behind the event with this id; `ended` aborts it. */
  readonly open: (last: string | undefined, ended: AbortSignal) => Promise<AsyncIterable<Uint8Array>>
  /** Goes to another host, if there is one. */
  readonly another: () => void
}

const retryMs = 2000
/** The platform gives a sign of life every 15 s; a stream that is quiet for longer than this is dead. */
const quietMs = 45_000

/**
 * Events of a stream that is opened again, behind the last event, whenever it breaks. Ends when the signal aborts.
 * Throws when the first stream cannot be opened, or when the API refuses a later one.
 */
export async function* followEvents(following: Following): AsyncGenerator<LiveEvent> {
  const { signal, onOpen, onBreak, open, another } = following
  let last = following.lastEventId
  let wait = retryMs
  let opened = false
  while (!isAborted(signal)) {
    const watch = new Watch(signal)
    try {
      // oxlint-disable-next-line no-await-in-loop -- one stream after the other
      const bytes = await open(last, watch.signal)
      opened = true
      onOpen?.()
      for await (const { id, event, data, retry } of serverSentEvents(watch.watched(bytes))) {
        last = id ?? last
        wait = retry ?? wait
        yield { id, event, data: parsed(data) }
      }
      onBreak?.(undefined)
    } catch (error) {
      if (isAborted(signal)) return
      if (!opened || !passing(error)) throw error
      onBreak?.(error)
      if (!(error instanceof ApiError)) another()
      else wait = Math.max(wait, (error.retryAfter ?? 0) * 1000)
    } finally {
      watch.end()
    }
    // oxlint-disable-next-line no-await-in-loop -- one stream after the other
    await pause(wait, signal).catch(() => undefined)
  }
}

/** Ends a stream that gives no sign of life. */
class Watch {
  readonly #quiet = new AbortController()
  readonly signal: AbortSignal
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(signal: AbortSignal | undefined) {
    this.signal = AbortSignal.any(signal === undefined ? [this.#quiet.signal] : [this.#quiet.signal, signal])
  }

  async *watched(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#again()
    for await (const chunk of bytes) {
      this.#again()
      yield chunk
    }
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#quiet.abort()
  }

  #again(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#quiet.abort(), quietMs)
  }
}

/** Whether opening the stream again may help. */
function passing(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500
  return (
    error instanceof UnreachableError ||
    error instanceof UnexpectedAnswerError ||
    (error instanceof DOMException && error.name === 'AbortError')
  )
}

/** It changes while others run. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}
