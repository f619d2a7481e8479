import type { Request, RequestHandler } from 'express'
import { Problem } from './problems.ts'

/** Nobody writes deeper structures, and code that walks them recursively must not run out of stack. */
const maxDepth = 32

const utf8 = new TextDecoder('utf-8', { fatal: true })
const raws = new WeakMap<Request, Uint8Array>()

/** The bytes of the body as they came (decompressed); empty if there was none. */
export function rawBody(request: Request): Uint8Array {
  const raw = raws.get(request) ?? (request.body as unknown)
  return raw instanceof Uint8Array ? raw : new Uint8Array()
}

/** Makes `request.body` of bytes that `express.raw` has read. */
export const jsonBody: RequestHandler = (request, _response, next) => {
  const raw: unknown = request.body
  if (raw instanceof Uint8Array) {
    raws.set(request, raw)
    request.body = raw.length === 0 ? {} : parseJson(raw)
  }
  next()
}

/**
 * JSON (RFC 8259) without what two readers could understand differently: names that come twice in an object, text that
 * is not UTF-8 or holds half a character. Problem `invalid_json`. An object or an array.
 */
function parseJson(bytes: Uint8Array): object {
  let text
  try {
    text = utf8.decode(bytes)
  } catch (error) {
    throw new Problem('invalid_json', 'the body is not UTF-8', { cause: error })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Problem('invalid_json', 'the body is not JSON', { cause: error })
  }
  if (typeof value !== 'object' || value === null)
    throw new Problem('invalid_json', 'the body is neither an object nor an array')
  gateStructure(text)
  return value
}

/** Reads text that is known to be JSON for what `JSON.parse` lets pass. */
function gateStructure(text: string): void {
  /** Names in each open object; null: an array. */
  const open: (Set<string> | null)[] = []
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : null)
      if (open.length > maxDepth)
        throw new Problem('invalid_json', `the body is nested deeper than ${maxDepth} levels`)
    } else if (char === '}' || char === ']') open.pop()
    else if (char === '"') {
      const end = endOfString(text, i)
      gateString(text.slice(i, end + 1), isName(text, end + 1) ? (open.at(-1) ?? null) : null)
      i = end
    }
  }
}

function gateString(quoted: string, names: Set<string> | null): void {
  const string = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)
  if (!string.isWellFormed())
    throw new Problem('invalid_json', 'the body has half of a UTF-16 surrogate pair in a text')
  if (names === null) return
  if (names.has(string)) {
    const name = string.slice(0, 64)
    throw new Problem('invalid_json', `the name "${name}" comes twice in one object of the body`)
  }
  names.add(string)
}

function endOfString(text: string, start: number): number {
  let i = start + 1
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i
}

function isName(text: string, after: number): boolean {
  let i = after
  while (text[i] === ' ' || text[i] === '\n' || text[i] === '\r' || text[i] === '\t') i++
  return text[i] === ':'
}
