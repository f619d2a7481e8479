import { isOver } from '#platform/rolls/roll.ts'
import { plain, printJson, printLine, redrawn } from '#scripts/output.ts'
import { bar, boardLines } from './board.ts'
import { wordMs } from './held-word.ts'
import type { ShownRoll } from './ledger.ts'
import { servesAgain } from './runner.ts'

/** A bar, and where it is: `[########------------] 2/5 dc01-app1 settle: MQTT refused`. */
function progressLine(roll: ShownRoll): string {
  const { steps, state, note } = roll
  const at = steps.find((step) => step.state === 'running')
  if (at === undefined) return plain(`${bar(roll)} ${state}${note === null ? '' : `: ${note}`}`)
  return plain(`${bar(roll)} ${at.host} ${at.phase ?? ''}${at.note === null ? '' : `: ${at.note}`}`)
}

/** Shows every change once: on a terminal all hosts in place, else a line each; as JSON, a line each. */
export function progressPrinter(json: boolean): (roll: ShownRoll) => void {
  if (!json && process.stdout.isTTY) return boardPrinter(process.stdout)
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

/** Draws over what it drew before. */
function boardPrinter(terminal: NodeJS.WriteStream): (roll: ShownRoll) => void {
  const draw = redrawn(terminal)
  return (roll) => {
    const { rows, columns } = terminal
    draw(boardLines(roll, { rows, columns, now: Date.now() }))
  }
}

/** The hosts in their order, before anything is done; `load`: MQTT connections by host. */
export function planLines(
  {
    kind,
    version,
    steps,
  }: Pick<ShownRoll, 'kind' | 'version'> & {
    readonly steps: readonly { readonly host: string; readonly dc: string }[]
  },
  load: ReadonlyMap<string, number> = new Map(),
): string[] {
  const loadOf = (host: string): string => {
    const connections = load.get(host)
    return connections === undefined ? '' : `, ${connections} MQTT connections`
  }
  return [
    `${kind}${version === null ? '' : ` to ${version}`}, one host after the other:`,
    ...steps.map(({ host, dc }, i) => `  ${i + 1}. ${host} (${dc}${loadOf(host)})`),
  ]
}

const inDnsAgain = `after ${wordMs / 60_000} minutes at most`

/** What there is to do for a person when it is over; undefined: nothing. */
export function remedyOf({ state, id, steps }: ShownRoll): string | undefined {
  const failed = steps.find((step) => step.state === 'failed')
  if (state === 'failed' && failed?.phase === 'gate')
    return `${failed.host} was not touched. When nothing stands in the way any more: cinque roll again ${id}`
  if (state === 'failed' && failed?.phase === 'drain')
    return `${failed.host} was not touched, and is in DNS again ${inDnsAgain}. Then: cinque roll again ${id}`
  if (state === 'failed' && failed?.phase === 'return')
    return `${failed.host} is well, and in DNS again ${inDnsAgain}. Then: cinque roll again ${id}`
  if (state === 'failed' && failed?.note?.endsWith(servesAgain) === true)
    return 'No further host gets this release. Mend it, and upgrade to the new one.'
  if (state === 'failed' && failed !== undefined)
    return `${failed.host} is out of service. Look at it, then plan the rest again: cinque roll again ${id}`
  if (state === 'paused') return `Go on: cinque roll resume ${id}, then cinque roll run`
  return isOver({ state }) ? undefined : 'Go on: cinque roll run'
}
