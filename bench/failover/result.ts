import type { Outcome } from './observe.ts'
import type { Mark } from './timeline.ts'

/** Seconds from a fault to another DNS answer, at most. */
export const detectionBarS = 35

const columns: readonly Mark[] = ['vote', 'quorum', 'dns', 'half', 'most', 'users', 'begun', 'done']

/** The table of docs/failover.md: seconds from the fault, the last two from its end. */
export function markdownTable(outcomes: readonly Outcome[]): string {
  const head = [
    'fault',
    'devices there',
    'first vote',
    'quorum',
    'DNS changed',
    '50 % back',
    '99 % back',
    'users back',
    'failback begun',
    'done',
    'acknowledged, lost',
    '',
  ]
  const rows = outcomes.map(({ fault, timeline, devices, acknowledged, lost, wrong, seen }) => [
    fault.what,
    String(devices),
    ...columns.map((mark) => seconds(timeline.seconds(mark))),
    `${acknowledged}, ${lost}`,
    wrong !== null ? `WRONG: ${wrong}` : fault.outcome === 'stays' ? `nothing changes; ${seen ?? ''}` : '',
  ])
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function seconds(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(1)
}
