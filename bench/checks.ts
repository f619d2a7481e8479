import type { Figures } from './generator.ts'

/** Names each of these figures that is not 0. */
function nonZero(figures: Figures, names: readonly string[]): string[] {
  return names.flatMap((name) => (figures[name] === 0 ? [] : [`${name} ${figures[name] ?? 'unknown'}`]))
}

/** A flow must come whole, once and in order. */
export const checkFlow = (figures: Figures): readonly string[] =>
  nonZero(figures, ['lost', 'duplicated', 'reordered', 'unacked', 'refused', 'closed', 'unsent'])

export const checkKnownSet = (figures: Figures): readonly string[] => [
  ...nonZero(figures, ['lost', 'duplicated']),
  ...(figures['stored'] === 1 ? [] : ['not all was acknowledged']),
]

export const checkConnections = (figures: Figures): readonly string[] =>
  figures['all'] === 1 ? [] : [`held ${figures['held'] ?? 0} of ${figures['conns'] ?? 0}`]

export const checkChurn = (figures: Figures): readonly string[] => nonZero(figures, ['failed'])

export const checkTelemetry = (figures: Figures): readonly string[] =>
  nonZero(figures, ['unacked', 'refused', 'closed'])
