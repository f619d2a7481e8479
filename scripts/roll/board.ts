import { type Phase, phases } from '#platform/rolls/roll.ts'
import { plain } from '#scripts/output.ts'
import type { ShownRoll } from './ledger.ts'

type Step = ShownRoll['steps'][number]

/** Characters of the bar of the whole. */
const barWidth = 20
/** Lines that are not about hosts: the bar, and how many hosts are not shown. */
const otherLines = 3
/** Hosts that were just done stay in sight above the one under way. */
const linesBefore = 3

/** Share of the work that is done, 0 to 1: the phases of hosts count alike. */
function shareDone({ steps }: Pick<ShownRoll, 'steps'>): number {
  return steps.reduce((sum, step) => sum + phasesDone(step), 0) / (steps.length * phases.length)
}

/** `[####----] 2/5`: the whole, and how many hosts are done. */
export function bar(roll: Pick<ShownRoll, 'steps'>): string {
  const done = roll.steps.filter(isDone).length
  return `${filled(Math.floor(shareDone(roll) * barWidth), barWidth)} ${done}/${roll.steps.length}`
}

/**
 * All of a roll for a terminal: a line for the whole, and one for each host with its phases. Where lines are too few,
 * the hosts around the one under way.
 */
export function boardLines(
  roll: ShownRoll,
  { rows, columns, now }: { readonly rows: number; readonly columns: number; readonly now: number },
): string[] {
  const { kind, version, state, wish, steps, note } = roll
  const wished = wish === 'go' || state !== 'running' ? '' : `, to ${wish} after this host`
  const head = `${bar(roll)} ${kind}${version === null ? '' : ` to ${version}`}: ${state}${wished}`
  const room = Math.max(1, rows - otherLines)
  const at = steps.findIndex((step) => step.state === 'running' || step.state === 'failed')
  const from = Math.max(0, Math.min((at === -1 ? 0 : at) - linesBefore, steps.length - room))
  const shown = steps.slice(from, from + room)
  const width = Math.max(...shown.map(({ host }) => host.length))
  const hidden = steps.length - shown.length
  return [
    note === null ? head : `${head}: ${note}`,
    ...shown.map((step) => `  ${step.host.padEnd(width)} ${hostLine(step, now)}`),
    ...(hidden === 0 ? [] : [`  and ${hidden} more`]),
  ].map((line) => plain(line).slice(0, Math.max(1, columns - 1)))
}

function hostLine(step: Step, now: number): string {
  const cells = filled(phasesDone(step), phases.length)
  const what = step.state === 'running' ? (step.phase ?? 'running') : step.state
  const note = step.note === null || step.state === 'done' ? '' : `: ${step.note}`
  return `${cells} ${what.padEnd(7)} ${lasted(step, now)}${note}`.trimEnd()
}

function lasted({ started_at: from, ended_at: to }: Step, now: number): string {
  if (from === null) return ''
  const until = to === null ? now : Date.parse(to)
  return `${Math.max(0, Math.round((until - Date.parse(from)) / 1000))} s`
}

function phasesDone(step: Step): number {
  if (isDone(step)) return phases.length
  return step.phase === null ? 0 : phases.indexOf(step.phase satisfies Phase)
}

function isDone({ state }: Step): boolean {
  return state === 'done' || state === 'skipped'
}

function filled(done: number, width: number): string {
  return `[${'#'.repeat(done)}${'-'.repeat(width - done)}]`
}
