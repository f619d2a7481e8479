import { expect } from 'chai'
import { array, assert, constantFrom, dictionary, integer, letrec, oneof, property, record } from 'fast-check'
import {
  checkedDocument,
  defaultTwin,
  deltaOf,
  isObject,
  type Json,
  type JsonObject,
  leavesOf,
  merged,
  twinName,
  withoutNulls,
} from '#platform/twins/document.ts'
import { documentOf, type ReportedRow, rowsOf } from '#platform/twins/reported.ts'

const key = constantFrom('a', 'b', 'a/b', '~')
const { patch } = letrec<{ patch: JsonObject; value: Json }>((tie) => ({
  patch: dictionary(key, tie('value'), { maxKeys: 3 }),
  value: oneof(
    { depthSize: 'small', withCrossShrink: true },
    constantFrom<Json>(null, 1, 2, 'x', [1]),
    tie('patch'),
  ),
}))
const said = array(record({ patch, process: integer({ min: 0, max: 2 }) }), { maxLength: 8 })

/** The newest row of each path, as the stores keep it. */
function stored(rows: readonly ReportedRow[]): ReportedRow[] {
  const newest = new Map<string, ReportedRow>()
  for (const row of rows) if ((newest.get(row.path)?.stamp ?? -1) < row.stamp) newest.set(row.path, row)
  return Array.from(newest.values())
}

/** Without objects that have no values, which rows cannot say. */
function pruned(object: JsonObject): JsonObject {
  const kept: JsonObject = {}
  for (const [name, value] of Object.entries(object)) {
    const inner = isObject(value) ? pruned(value) : value
    if (!isObject(inner) || Object.keys(inner).length > 0) kept[name] = inner
  }
  return kept
}

describe('what a device reports', () => {
  it('is the same for all who have the same rows, in whatever order and through whatever process they came', () => {
    assert(
      property(said, integer({ min: 0, max: 1000 }), (words, turn) => {
        const rows = words.flatMap((word, i) => rowsOf(leavesOf(word.patch), i))
        const turned = [...rows.slice(turn % (rows.length + 1)), ...rows.slice(0, turn % (rows.length + 1))]
        expect(documentOf(stored(turned))).to.deep.equal(documentOf(stored(rows)))
        expect(documentOf(stored([...rows, ...turned]))).to.deep.equal(documentOf(stored(rows)))
      }),
    )
  })

  it('is what it said, patch by patch, as if one process had taken all of it', () => {
    assert(
      property(array(patch, { maxLength: 8 }), (patches) => {
        const rows = patches.flatMap((one, i) => rowsOf(leavesOf(one), i))
        let whole: JsonObject = {}
        for (const one of patches) whole = pruned(merged(whole, pruned(one)))
        expect(documentOf(stored(rows))).to.deep.equal(whole)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('documents', () => {
  it('a patch merges objects, replaces all else, and null deletes (RFC 7396)', () => {
    const target = { a: { b: 1, c: [1, 2] }, d: 'x' }
    expect(merged(target, { a: { b: null, c: [3] }, e: { f: null, g: 1 } })).to.deep.equal({
      a: { c: [3] },
      d: 'x',
      e: { g: 1 },
    })
    expect(target.a.b).to.equal(1)
    expect(withoutNulls({ a: null, b: { c: null } })).to.deep.equal({ b: {} })
  })

  it('the delta is what is wanted and is not so; what nobody wants is none', () => {
    expect(deltaOf({ a: 1, b: { c: [1], d: 2 } }, { a: 1, b: { c: [1, 2], d: 2 }, e: 5 })).to.deep.equal({
      b: { c: [1] },
    })
    expect(deltaOf({ a: { b: 1 } }, { a: { b: 1, c: 2 } })).to.equal(undefined)
    expect(deltaOf({ toString: 1 }, {})).to.deep.equal({ toString: 1 })
  })

  it('merging the delta into what is reported leaves no delta', () => {
    assert(
      property(patch, patch, (desired, reported) => {
        const [wanted, is] = [withoutNulls(desired), withoutNulls(reported)]
        const delta = deltaOf(wanted, is)
        if (delta !== undefined) expect(deltaOf(wanted, merged(is, delta))).to.equal(undefined)
      }),
    )
  })

  it('that are too deep, too large or not what they seem are refused', () => {
    let deep: JsonObject = {}
    for (let i = 0; i < 11; i++) deep = { a: deep }
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`k${i}`, i]))
    for (const wrong of [
      deep,
      many,
      [],
      null,
      'x',
      { '': 1 },
      { ['k'.repeat(129)]: 1 },
      { 'a\u0000': 1 },
      { a: 'x'.repeat(65_536) },
      JSON.parse('{"__proto__": {"admin": true}}') as unknown,
    ])
      expect(() => checkedDocument(wrong, 'desired'), JSON.stringify(wrong).slice(0, 40)).to.throw(
        /desired|must|is|has|a key/,
      )
    expect(twinName.test(defaultTwin)).to.equal(true)
  })
})
