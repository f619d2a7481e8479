/** Numbers as ascending, separate spans, both ends included: what is settled around the few that are not. */
export type Span = readonly [from: number, to: number]

export function includes(spans: readonly Span[], n: number): boolean {
  let low = 0
  let high = spans.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const [from, to] = spans[middle]
    if (n < from) high = middle - 1
    else if (n > to) low = middle + 1
    else return true
  }
  return false
}

/** All numbers of both that are above `floor`. */
export function union(one: readonly Span[], other: readonly Span[], floor: number): Span[] {
  const all = [...one, ...other].filter(([, to]) => to > floor).toSorted((a, b) => a[0] - b[0])
  const joined: Span[] = []
  for (const [from, to] of all) {
    const last = joined.at(-1)
    if (last !== undefined && from <= last[1] + 1)
      joined[joined.length - 1] = [last[0], Math.max(last[1], to)]
    else joined.push([Math.max(from, floor + 1), to])
  }
  return joined
}
