import type { Target } from '../probes/probe.ts'
import type { Results } from './results.ts'

/**
 * Why this checker can't judge: most DCs refuse its device or API key, which says something about the checker and
 * nothing about them. Undefined: nothing is wrong with it. One DC alone that refuses it has lost its keys.
 */
export function ownFault(results: Results, targets: readonly Target[]): string | undefined {
  const refusing = new Map<string, string>()
  for (const { last } of results.records) {
    if (last.refused === true) refusing.set(last.dc, last.error ?? '')
  }
  const dcs = new Set(targets.map(({ dc }) => dc.name))
  if (refusing.size === 0 || refusing.size * 2 <= dcs.size) return undefined
  const [error] = refusing.values()
  return `its device or API key is refused by ${[...refusing.keys()].join(', ')}: ${error}`
}
