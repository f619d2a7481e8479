import { isOver, phases } from '#platform/rolls/roll.ts'
import { printJson, printLine } from '#scripts/output.ts'
import type { ShownRoll } from './ledger.ts'

const barWidth = 20

/** A bar, and where it is: `[########------------] 2/5 dc01-app1 settle: MQTT refused`. */
function progressLine({ steps, state, note }: ShownRoll): string {
  const done = steps.filter((step) => step.state === 'done' || step.state === 'skipped').length
  const at = steps.find((step) => step.state === 'running')
  const parts = phases.length * steps.length
  const now = done * phases.length + (at?.phase ? phases.indexOf(at.phase) : 0)
  const filled = Math.floor((now / parts) * barWidth)
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${done}/${steps.length}`
  if (at === undefined) return `${bar} ${state}${note === null ? '' : `: ${note}`}`
  return `${bar} ${at.host} ${at.phase ?? ''}${at.note === null ? '' : `: ${at.note}`}`
}

/** Prints every change once; as JSON, a line each. */
export function progressPrinter(json: boolean): (roll: ShownRoll) => void {
  let last = ''
  return (roll) => {
    const line = json
      ? JSON.stringify([
          roll.state,
          roll.wish,
          roll.steps.map(({ state, phase, note }) => [state, phase, note]),
        ])
      : progressLine(roll)
    if (line === last) return
    last = line
    if (json) printJson(roll)
    else printLine(`${new Date().toISOString().slice(11, 19)} ${line}`)
  }
}

/** The hosts in their order, before anything is done. */
export function planLines({ kind, version, steps }: Pick<ShownRoll, 'kind' | 'version' | 'steps'>): string[] {
  return [
    `${kind}${version === null ? '' : ` to ${version}`}, one host after the other:`,
    ...steps.map(({ host, dc }, i) => `  ${i + 1}. ${host} (${dc})`),
  ]
}

/** What there is to do for a person when it is over; undefined: nothing. */
export function remedyOf({ state, id, steps }: ShownRoll): string | undefined {
  const failed = steps.find((step) => step.state === 'failed')
  if (state === 'failed' && failed !== undefined)
    return `${failed.host} is out of service. Look at it, then plan the rest again: cinque roll again ${id}`
  if (state === 'paused') return `Go on: cinque roll resume ${id}, then cinque roll run`
  return isOver({ state }) ? undefined : 'Go on: cinque roll run'
}
