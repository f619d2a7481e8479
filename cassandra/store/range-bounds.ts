import type { Fields } from '#platform/store/key-codec.ts'
import { boundedRange } from '#platform/store/key-range.ts'
import { type Bound, bind, type TableCql } from './table-cql.ts'

interface Bounds {
  from?: Fields | undefined
  after?: Fields | undefined
  to?: Fields | undefined
  before?: Fields | undefined
}

/** Any: keys are only compared with each other. */
const tableByte = 1

/**
 * The two ends of a range as CQL takes them: one relation each, the narrower where two are given. Null: nothing can
 * lie between. TypeError or RangeError names a column of the partition key or a bound that no row can have.
 */
export function boundsOf(
  cql: TableCql,
  partition: Fields,
  bounds: Bounds,
): { lower: Bound | null; upper: Bound | null } | null {
  const { from, after, to, before } = bounds
  const ends = (one: Bounds): { start: Buffer; end: Buffer } =>
    boundedRange(cql.codec, tableByte, partition, one)
  const whole = ends(bounds)
  if (whole.start.compare(whole.end) >= 0) return null
  let lower: Bound | null = null
  if (after !== undefined && ends({ after }).start.equals(whole.start)) lower = bound(cql, '>', after)
  else if (from !== undefined) lower = bound(cql, '>=', from)
  let upper: Bound | null = null
  if (before !== undefined && ends({ before }).end.equals(whole.end)) upper = bound(cql, '<', before)
  else if (to !== undefined) upper = bound(cql, '<=', to)
  return { lower, upper }
}

/** Null for a bound without columns, which is none. */
function bound(cql: TableCql, operator: Bound['operator'], key: Fields): Bound | null {
  const columns = cql.clustering.filter(({ name }) => key[name] !== undefined)
  if (columns.length === 0) return null
  return { operator, values: columns.map(({ name, type }) => bind(type, key[name])) }
}
