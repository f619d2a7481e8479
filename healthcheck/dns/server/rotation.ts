/** Fraction of the golden ratio: its multiples fill the circle more evenly than those of any other number. */
const step = (Math.sqrt(5) - 1) / 2

/**
 * Numbers from 0 up to 1 in a rotation: of any run of them as many are below p as p says, give or take one or two, so
 * that also a few clients are spread by the weights.
 */
export function rotation(start = Math.random()): () => number {
  let at = start % 1
  return () => {
    at = (at + step) % 1
    return at
  }
}
