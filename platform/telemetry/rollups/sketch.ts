/**
 * A quantile sketch: values are counted in bins whose width grows with them, so that any quantile is within 1 % of the
 * true one, and sketches of parts add up to that of the whole. (Masson, Rim, Lee, "DDSketch", VLDB 2019.)
 */
export class Sketch {
  /** Bin -> count. 0: zero; the n-th above and below it: n from 1 on, by magnitude. */
  readonly bins = new Map<number, number>()
  count = 0

  add(value: number, times = 1): void {
    const bin = binOf(value)
    this.bins.set(bin, (this.bins.get(bin) ?? 0) + times)
    this.count += times
  }

  merge(other: Sketch): void {
    for (const [bin, count] of other.bins) this.bins.set(bin, (this.bins.get(bin) ?? 0) + count)
    this.count += other.count
  }

  /** The value that the fraction `q` of all values does not exceed; NaN without values. */
  quantile(q: number): number {
    let left = Math.max(1, Math.ceil(q * this.count))
    for (const [bin, count] of this.sorted()) {
      left -= count
      if (left <= 0) return valueOf(bin)
    }
    return Number.NaN
  }

  /** Bins from the lowest up, the lowest ones joined where there are more than may be stored. */
  sorted(): [bin: number, count: number][] {
    const bins = [...this.bins].toSorted(([a], [b]) => a - b)
    if (bins.length <= maxBins) return bins
    const low = bins.splice(0, bins.length - maxBins + 1)
    return [[low[low.length - 1][0], low.reduce((sum, [, count]) => sum + count, 0)], ...bins]
  }
}

/** Bins that a stored sketch may have: 512 cover five powers of ten; beyond that the lowest values get vague. */
const maxBins = 512
const accuracy = 0.01
const gamma = (1 + accuracy) / (1 - accuracy)
const logGamma = Math.log(gamma)
/** Smaller magnitudes count as zero. */
const smallest = 1e-12
const firstIndex = Math.ceil(Math.log(smallest) / logGamma)

function binOf(value: number): number {
  const magnitude = Math.abs(value)
  if (magnitude < smallest) return 0
  const bin = Math.max(Math.ceil(Math.log(magnitude) / logGamma) - firstIndex, 0) + 1
  return value < 0 ? -bin : bin
}

function valueOf(bin: number): number {
  if (bin === 0) return 0
  const value = (2 * gamma ** (Math.abs(bin) - 1 + firstIndex)) / (gamma + 1)
  return bin < 0 ? -value : value
}
