/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((v) => !Number.isNaN(v)).toSorted((a, b) => a - b)
  if (sorted.length === 0) return NaN
  const middle = sorted.length >> 1
  const high = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? NaN) + high) / 2
}

/** A ratio over rounds: the median of the rounds' own ratios, so that a slow moment of the machine hits both sides. */
export interface Ratio {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Round by round; rounds in which either side has no figure are left out, null when none is left. */
export function ratioOf(over: readonly number[], under: readonly number[]): Ratio | null {
  const ratios = over.flatMap((value, round) => {
    const ratio = value / (under[round] ?? NaN)
    return Number.isFinite(ratio) ? [ratio] : []
  })
  if (ratios.length === 0) return null
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }
}
