/** Elements without an end. */
const empty = new Set(['meta', 'link'])

/** An element as it was opened. */
export interface Opened {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly within: readonly string[]
}

/**
 * Reads a document whose elements must be closed in order and whose attributes must be quoted: a part of HTML, and all
 * of XML but comments and CDATA. Throws an Error that says where it is not so.
 */
export function elementsOf(text: string): Opened[] {
  const all: Opened[] = []
  const open: string[] = []
  const body = text.replace(/^<(?:!doctype html|\?xml[^>]*\?)>\n/, '')
  const token = /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?: [a-zA-Z:-]+(?:="[^"<]*")?)*)(\/?)>/y
  for (let at = 0; at < body.length; ) {
    const next = body.indexOf('<', at)
    const between = body.slice(at, next === -1 ? body.length : next)
    if (open.at(-1) !== 'script' && open.at(-1) !== 'style' && /&(?!(?:amp|lt|gt|quot|#39);)/.test(between))
      throw new Error(`an ampersand by itself in ${between}`)
    if (next === -1) break
    token.lastIndex = next
    const match = token.exec(body)
    if (match === null) {
      // In a script it is an operator.
      if (open.at(-1) === 'script') {
        at = next + 1
        continue
      }
      throw new Error(`no element at ${body.slice(next, next + 80)}`)
    }
    const [whole, end, name, attributes, closed] = match
    at = next + whole.length
    if (end === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> is not open at ${body.slice(next - 80, at)}`)
      continue
    }
    const pairs = Array.from(attributes.matchAll(/([a-zA-Z:-]+)(?:="([^"]*)")?/g), ([, key, value = '']) => [
      key,
      value,
    ])
    all.push({ name, attributes: Object.fromEntries(pairs) as Record<string, string>, within: [...open] })
    if (closed === '' && !empty.has(name)) open.push(name)
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)}> is not closed`)
  return all
}
