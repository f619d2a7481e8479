/**
 * Bytes written for reading: `30 07 "a/b" 'hi'` is hex, a string with its two-byte length prefix, and plain text.
 * `[ ... ]` puts a one-byte length in front of what it encloses (remaining length, property length); it nests.
 */
export function bytes(text: string): Buffer {
  const open: number[][] = [[]]
  for (const token of text.match(/"[^"]*"|'[^']*'|\S+/g) ?? []) {
    const out = open[open.length - 1]
    if (token === '[') open.push([])
    else if (token === ']') {
      open.pop()
      if (out.length > 127) throw new Error(`[ ] encloses ${out.length} bytes: write the length out`)
      open[open.length - 1].push(out.length, ...out)
    } else if (token.startsWith('"')) {
      const string = Buffer.from(token.slice(1, -1))
      out.push(string.length >> 8, string.length & 255, ...string)
    } else if (token.startsWith("'")) out.push(...Buffer.from(token.slice(1, -1)))
    else if (/^[0-9a-f]{2}$/i.test(token)) out.push(Number.parseInt(token, 16))
    else throw new Error(`neither hex nor text: ${token}`)
  }
  if (open.length !== 1) throw new Error(`unbalanced brackets: ${text}`)
  return Buffer.from(open[0])
}
