/** One line of the result. */
export interface Line {
  readonly what: string
  readonly value: string
  /** What it must reach, and whether it did. */
  readonly bar?: { readonly text: string; readonly met: boolean }
}

/** What a scenario may use. */
export interface Bench {
  /** Counted seconds of a run under load. */
  readonly seconds: number
  readonly rounds: number
  /** An empty directory, removed afterwards. */
  readonly directory: string
  /** Progress, for whoever watches. */
  readonly say: (line: string) => void
}

export interface ClusterScenario {
  readonly name: string
  readonly about: string
  run(bench: Bench): Promise<Line[]>
}

export function atMost(value: number, bound: number, unit = ''): NonNullable<Line['bar']> {
  return { text: `<= ${bound}${unit}`, met: value <= bound }
}

export function atLeast(value: number, bound: number, unit = ''): NonNullable<Line['bar']> {
  return { text: `>= ${bound}${unit}`, met: value >= bound }
}
