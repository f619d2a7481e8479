import type { Bar } from './bars.ts'
import type { Figures } from './generator.ts'
import type { Need } from './peers/peer.ts'

/** One row of the table. */
export interface Metric {
  readonly label: string
  /** Its name in `Figures`. */
  readonly figure: string
  /** Factor from the generator's unit to the table's. */
  readonly scale?: number
  readonly better: 'more' | 'less'
  /** Whether the figure for a second of the broker's own processor time is of interest too. */
  readonly perCpu?: boolean
  readonly bars?: readonly Bar[]
}

export interface Scenario {
  readonly name: string
  /** For the generator, without times and address. */
  readonly args: readonly string[]
  /** MQTT 5 scenarios: measured in 3.1.1 too, in the same round. */
  readonly asMqtt3?: boolean
  readonly needs: readonly Need[]
  /** Devices the platform must have. */
  readonly devices?: number
  readonly metrics: readonly Metric[]
  /** What is wrong with a result: losses and the like. */
  check(figures: Figures): readonly string[]
}
