/**
 * Relations between topic filters, both given as levels. A topic name is a filter without wildcards, so these also
 * say whether a topic matches. Wildcards in the first level don't match names that begin with $ [MQTT-4.7.2-1];
 * `a/#` matches `a` too (MQTT 5, 4.7.1.2).
 */

/** Whether every topic that matches `inner` matches `outer`. Errs on the side of no: `#` is not covered by `+/#`. */
export function covers(outer: readonly string[], inner: readonly string[]): boolean {
  if (apart(outer[0], inner[0])) return false
  for (const [at, level] of outer.entries()) {
    if (level === '#') return true
    if (at === inner.length) return false
    if (inner[at] === '#') return false
    if (level !== '+' && level !== inner[at]) return false
  }
  return outer.length === inner.length
}

/** Whether there is a topic that matches both. */
export function overlaps(one: readonly string[], other: readonly string[]): boolean {
  if (apart(one[0], other[0])) return false
  const shared = Math.min(one.length, other.length)
  for (let at = 0; at < shared; at++) {
    if (one[at] === '#' || other[at] === '#') return true
    if (one[at] !== '+' && other[at] !== '+' && one[at] !== other[at]) return false
  }
  const longer = one.length > other.length ? one : other
  return longer.length === shared || (longer.length === shared + 1 && longer[shared] === '#')
}

/** A first level that begins with $ only meets its equal. */
function apart(one: string, other: string): boolean {
  return (one.startsWith('$') || other.startsWith('$')) && one !== other
}
