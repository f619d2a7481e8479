import type { Request, Response } from 'express'
import { authenticate, type Caller } from './callers.ts'
import type { ApiDeps } from './deps.ts'
import { Problem } from './problems.ts'

/** Signs of life a client may leave unread before its stream is closed. */
const maxUnread = 4
/** Milliseconds between them. Proxies end connections that are quiet for 30 s or longer. */
const defaultHeartbeat = 15_000

/** Server-sent events on their way to one client. */
export interface EventStream {
  /** Writes an event that the stream itself makes. */
  write(event: string, data: object): void
  /**
   * Writes what `next` gives, as fast as the client reads, until it gives undefined; again when `more` is called.
   * Nothing is taken while the client does not read, so nothing waits here.
   */
  pump(next: () => Uint8Array | string | undefined): void
  /** There may be something to take. */
  readonly more: () => void
  end(): void
}

/**
 * Begins a stream. It ends when the client goes or reads nothing for a while, when the server stops, and when its
 * token or key is good no more, or may do something else than at the beginning.
 */
export function openEventStream(
  deps: ApiDeps,
  { caller, request, response }: { caller: Caller | null; request: Request; response: Response },
): EventStream {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  response.write('retry: 2000\n\n')
  let take: () => Uint8Array | string | undefined = () => undefined
  const more = (): void => {
    while (!response.writableNeedDrain && !response.writableEnded && !response.destroyed) {
      const next = take()
      if (next === undefined) return
      response.write(next)
    }
  }
  const rights = rightsOf(caller)
  let unread = 0
  const heartbeat = setInterval(() => {
    unread = response.writableNeedDrain ? unread + 1 : 0
    if (unread > maxUnread) response.destroy()
    else if (unread === 0 && !response.writableEnded) response.write(':\n\n')
    stillGood(deps, request).then(
      (now) => {
        if (rightsOf(now) !== rights) response.end()
      },
      (error: unknown) => {
        if (error instanceof Problem) response.end()
      },
    )
  }, deps.heartbeat ?? defaultHeartbeat)
  const end = (): void => void response.end()
  deps.stopping?.addEventListener('abort', end)
  response.on('drain', more)
  response.on('close', () => {
    clearInterval(heartbeat)
    deps.stopping?.removeEventListener('abort', end)
  })
  return {
    write: (event, data) => {
      if (!response.writableEnded) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    },
    pump: (next) => {
      take = next
      more()
    },
    more,
    end,
  }
}

const asked = new WeakMap<ApiDeps, Map<string, Promise<Caller>>>()

/**
 * A token or key that was replaced or deleted must not go on listening. Streams with the same one share the question,
 * so that reads do not grow with streams.
 */
async function stillGood(deps: ApiDeps, request: Request): Promise<Caller> {
  let underWay = asked.get(deps)
  if (underWay === undefined) asked.set(deps, (underWay = new Map()))
  const key = JSON.stringify([request.get('authorization'), request.query['organisation']])
  let answer = underWay.get(key)
  if (answer === undefined) {
    answer = authenticate(deps, request)
    underWay.set(key, answer)
    const known = underWay
    const forget = (): void =>
      void setTimeout(() => known.delete(key), (deps.heartbeat ?? defaultHeartbeat) / 2).unref()
    answer.then(forget, forget)
  }
  return answer
}

/** What somebody may do, as far as a stream depends on it. */
function rightsOf(caller: Caller | null): string {
  if (caller === null || caller.kind === 'platform') return caller?.kind ?? ''
  if (caller.kind === 'stranger') return caller.kind
  const { kind, organisation } = caller
  const granted = kind === 'user' || kind === 'key' ? [caller.role, caller.groups] : []
  const scopes = kind === 'key' ? caller.scopes : null
  return JSON.stringify([kind, organisation.id, granted, scopes])
}
