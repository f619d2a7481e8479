/** One event of a server-sent event stream (HTML Living Standard, 9.2). */
export interface ServerSentEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
  /** Milliseconds before the stream should be opened again, if it has said so. */
  readonly retry: number | undefined
}

/** Longest line or event accepted, in characters. */
const maxEvent = 4_194_304

/** Parses a stream of server-sent events; ends when the stream does. */
export async function* serverSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let id: string | undefined
  let retry: number | undefined
  let event = 'message'
  let data: string[] = []
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/)
    rest = lines.pop() ?? ''
    if (rest.length > maxEvent || data.length > maxEvent) throw new Error('an event is too long')
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, event, data: data.join('\n'), retry }
        event = 'message'
        data = []
        continue
      }
      const colon = line.indexOf(':')
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'data') data.push(value)
      else if (field === 'event') event = value
      else if (field === 'id') id = value
      else if (field === 'retry' && /^\d{1,6}$/.test(value)) retry = Number(value)
    }
  }
}
