import { UnexpectedAnswerError } from './errors.ts'

/** Bytes of an answer as they come. UnexpectedAnswerError when the connection breaks before its end. */
export async function* bytesOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body === null) return
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one chunk after the other
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw brokenOff(response.url, error)
      })
      if (done) return
      yield value
    }
  } finally {
    // Whoever stops reading wants no more of it.
    reader.cancel().catch(() => undefined)
  }
}

/** Lines without their ends; empty ones are left out. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield line
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}

function brokenOff(url: string, cause: unknown): unknown {
  if (cause instanceof DOMException && cause.name === 'AbortError') return cause
  return new UnexpectedAnswerError(url, 'the answer broke off before its end', cause)
}
