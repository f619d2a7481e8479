import { parseArgs } from 'node:util'

export const usage = `npm run bench -- [options]

  --scenario NAME   only this one; * stands for anything, repeatable (all)
  --peer NAME       only this one, repeatable: cinque, mosquitto, aedes, external=HOST:PORT[/PID] (all that are installed)
  --rounds N        every scenario runs so often on every peer, in turn; medians count (3)
  --seconds S       counted seconds of a run (2)
  --quick           one round of one second: to see that it works, not to compare
  --directory DIR   where brokers keep their data: the disk that durable scenarios measure (the system's temporary directory)
  --json FILE       everything measured, as JSON
  --list            names the scenarios and their bars
  --help            prints this
`

export interface Options {
  readonly scenarios: readonly string[]
  readonly peers: readonly string[]
  readonly rounds: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly directory: string | undefined
  readonly json: string | undefined
  readonly action: 'run' | 'list' | 'help'
}

function positive(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${name} ${text}: expected a number above 0`)
  return value
}

/** @throws with one line that names the option when it is unknown or its value wrong. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', multiple: true },
      peer: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean' },
      directory: { type: 'string' },
      json: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  const quick = values.quick === true
  return {
    scenarios: values.scenario ?? [],
    peers: values.peer ?? [],
    rounds: Math.ceil(positive('rounds', values.rounds, quick ? 1 : 3)),
    seconds: positive('seconds', values.seconds, quick ? 1 : 2),
    warmSeconds: quick ? 0.5 : 1,
    directory: values.directory,
    json: values.json,
    action: values.help === true ? 'help' : values.list === true ? 'list' : 'run',
  }
}
