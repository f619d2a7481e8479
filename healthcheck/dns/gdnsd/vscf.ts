/** gdnsd's configuration language: values, arrays and hashes of them. */
export type Vscf = string | readonly Vscf[] | { readonly [key: string]: Vscf }

/** A whole file: a hash without braces. */
export function renderVscf(hash: Vscf): string {
  return Object.entries(hash as Record<string, Vscf>)
    .map(([key, value]) => `${quote(key)} => ${render(value, '')}\n`)
    .join('')
}

function render(value: Vscf, indent: string): string {
  if (typeof value === 'string') return quote(value)
  if (Array.isArray(value)) return `[ ${(value as Vscf[]).map((one) => render(one, indent)).join(', ')} ]`
  const inner = `${indent}  `
  const lines = Object.entries(value).map(([key, one]) => `${inner}${quote(key)} => ${render(one, inner)}\n`)
  return `{\n${lines.join('')}${indent}}`
}

/** Quoted where it has more than letters, digits and a few signs, such as an IPv6 address with a port. */
export function quote(text: string): string {
  return /^[A-Za-z0-9._!%/-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
