import { homedir } from 'node:os'
import path from 'node:path'

/** Where servers and tools that are no npm packages are kept: `$CINQUE_ENGINES`, or `cinque/engines` in the user's cache. */
export function enginesDirectory(): string {
  const told = process.env.CINQUE_ENGINES
  if (told !== undefined && told !== '') return path.resolve(told)
  const cache = process.env.XDG_CACHE_HOME
  return path.join(
    cache === undefined || cache === '' ? path.join(homedir(), '.cache') : cache,
    'cinque',
    'engines',
  )
}
