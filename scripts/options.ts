import { InvalidArgumentError } from 'commander'

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

/** A parser of whole numbers within bounds, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= min && value <= max && text.trim() !== '') return value
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }
}

/** `127.0.0.1:9090` or `[::1]:9090`, for commander. */
export function hostAndPort(text: string): { host: string; port: number } {
  const parsed = URL.canParse(`mqtt://${text}`) ? new URL(`mqtt://${text}`) : null
  if (parsed === null || parsed.hostname === '' || parsed.port === '' || parsed.host !== text) {
    throw new InvalidArgumentError('Expected host:port, as 127.0.0.1:9090; port 0: any.')
  }
  return { host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(parsed.port) }
}

/** A parser of a TCP port; 0 means any free one. */
export const port = wholeNumber(0, 65_535)
