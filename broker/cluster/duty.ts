import type { Cell } from './cell.ts'

/** Of the DCs this share must miss a DC before others act for its processes. */
const MISSED_BY = 0.6

/**
 * Whether this process acts for one of that DC that is not there any more: the lowest process left in its DC does; if
 * none is, the lowest of the lowest DC left, once enough DCs miss it. `whole`: the whole DC was not there when the
 * process was lost.
 */
export function hasDuty(cell: Cell, { dc, whole }: { dc: number; whole: boolean }): boolean {
  if (dc === cell.dc || cell.reachable(dc)) return isLowest(cell, dc)
  if (!whole && cell.dcs.length > 1) return false
  if (!isMissed(cell, dc)) return false
  const lowest = Math.min(cell.dc, ...cell.dcs.filter((other) => cell.reachable(other)))
  return lowest === cell.dc && isLowest(cell, lowest)
}

/** Whether so many DCs miss that one that it is rather down than cut off. */
export function isMissed(cell: Cell, dc: number): boolean {
  return cell.membership.missedBy(dc) >= Math.ceil(cell.dcs.length * MISSED_BY)
}

function isLowest(cell: Cell, dc: number): boolean {
  if (dc !== cell.dc) return false
  for (const { id, peer } of cell.members())
    if (peer.dcNumber === dc && peer.inContact && id < cell.id) return false
  return true
}
