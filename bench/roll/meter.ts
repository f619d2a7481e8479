/** How long things took, in milliseconds, in a part of a run. */
export class Meter {
  readonly #took: number[] = []
  /** Of those, what went well at the second try. */
  retried = 0
  /** What did not go well. */
  readonly failures: string[] = []

  took(ms: number): void {
    this.#took.push(ms)
  }

  get count(): number {
    return this.#took.length
  }

  /** Of those that went well; NaN without any. */
  percentile(share: number): number {
    const sorted = this.#took.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN
  }
}
