/** Whether arrays and objects are nested no deeper than this; never recurses further. */
export function fitsDepth(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (levels === 0) return false
  for (const one of Object.values(value)) if (!fitsDepth(one, levels - 1)) return false
  return true
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The text, or undefined if it is not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** The JSON value, or undefined if it is none or nested deeper than `levels`. */
export function jsonOf(bytes: Uint8Array, levels: number): unknown {
  const text = textOf(bytes)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return fitsDepth(value, levels) ? value : undefined
  } catch {
    return undefined
  }
}
