import * as fc from 'fast-check'

/** Few names, so that filters and topics meet; empty levels and $ included. */
const name = fc.constantFrom('a', 'b', '', '$x', 'c d', 'é')

export const topic = fc
  .array(name, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '')

export const filter = fc
  .tuple(fc.array(fc.oneof({ arbitrary: name, weight: 3 }, fc.constant('+')), { maxLength: 5 }), fc.boolean())
  .map(([levels, hash]) => (hash ? [...levels, '#'] : levels).join('/'))
  .filter((text) => text !== '')

/** 4.7, word for word, one level after the other. */
export function naiveMatch(filterText: string, topicText: string): boolean {
  const wanted = filterText.split('/')
  const given = topicText.split('/')
  if (given[0].startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return given.length >= i
    if (i >= given.length) return false
    if (level !== '+' && level !== given[i]) return false
  }
  return wanted.length === given.length
}
