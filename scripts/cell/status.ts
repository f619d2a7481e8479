import { table } from '#scripts/output.ts'
import type { CellStatus, DcStatus } from './cell.ts'
import type { PartStatus } from './part.ts'
import type { CheckerStandings } from '#scripts/client/standings.ts'

/** A line for each process, one for each DC that is cut off, and what is wrong with those that crashed. */
export function statusLines({ dcs, wan, standings }: CellStatus): string[] {
  const rows = dcs.flatMap((dc) => dc.parts.map((part) => row(dc, part)))
  const cuts = dcs.flatMap(({ name, cutFrom, checkerCut, lateMs }) => [
    ...(cutFrom.length > 0 ? [`${name}: no packets to and from ${cutFrom.join(', ')}`] : []),
    ...(checkerCut ? [`${name}: no packets to and from its checker`] : []),
    ...(lateMs > 0 ? [`${name}: packets to and from other datacenters are ${lateMs} ms late`] : []),
  ])
  const problems = dcs
    .flatMap(({ parts }) => parts)
    .flatMap(({ name, problem, log }) => (problem === null ? [] : [`${name} ${problem} (log: ${log})`]))
  const network = {
    delays: 'packets between DCs are delayed as over the real distance',
    cuts: 'packets between DCs are not delayed; they can be cut',
    none: 'packets between DCs are not delayed, and cannot be cut',
  }[wan]
  return [
    ...table(['DC', 'PLACE', 'PROCESS', 'STATE', 'ADDRESS', 'PID', 'MEMORY', 'CRASHES'], rows),
    ...cuts,
    ...problems,
    network,
    ...(standings === undefined ? [] : standingLines(standings)),
  ]
}

function standingLines({ checker, abstains, subjects }: CheckerStandings): string[] {
  const rows = subjects.map(({ subject, state, serving, percent, reason }) => [
    subject,
    state,
    serving ? `${percent} %` : 'no',
    reason,
  ])
  return [
    '',
    `as ${checker} has counted the votes${abstains === null ? '' : ` (it says nothing itself: ${abstains})`}`,
    ...table(['DC OR HOST', 'STATE', 'IN DNS', 'WHY'], rows),
  ]
}

function row(dc: DcStatus, part: PartStatus): string[] {
  return [
    dc.name,
    dc.place,
    part.name,
    part.state,
    part.at,
    part.pid === null ? '-' : String(part.pid),
    part.rss === null ? '-' : `${Math.round(part.rss / 1_048_576)} MB`,
    String(part.crashes),
  ]
}
