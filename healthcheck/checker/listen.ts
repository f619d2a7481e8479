/** `192.0.2.1:53`, `[2001:db8::1]:53`; checked by the configuration already. */
export function hostAndPortOf(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(at + 1)) }
}
