declare const safe: unique symbol
/** Text that may stand in HTML or XML as it is. */
export interface Markup {
  readonly text: string
  readonly [safe]?: true
}

type Piece = Markup | string | number | null | readonly Markup[]

/** A template in which everything that is not markup itself is escaped, in content and in quoted attributes alike. */
export function html(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  let text = parts[0]
  for (const [i, piece] of pieces.entries()) text += written(piece) + parts[i + 1]
  return { text }
}

/** What is known to be markup: constants of the program only. */
export function raw(text: string): Markup {
  return { text }
}

function written(piece: Piece): string {
  if (piece === null) return ''
  if (typeof piece === 'string') return escape(piece)
  if (typeof piece === 'number') return String(piece)
  return 'text' in piece ? piece.text : piece.map(({ text }) => text).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Control characters, which XML does not allow, and half characters become U+FFFD. */
function escape(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/(?![\t\n\r])\p{Cc}|[\ufffe\uffff]/gu, '\ufffd')
    .replaceAll(/[&<>"']/g, (one) => entities[one])
}
