import { compact, describeBar, judge, type Measurement } from './bars.ts'
import type { Figures } from './generator.ts'
import type { Result } from './measure.ts'
import type { ScenarioResults } from './rounds.ts'
import type { Metric, Scenario } from './scenario.ts'
import { median, ratioOf, type Ratio } from './statistics.ts'
import { formatTable } from './table.ts'

const OURS = 'cinque'
const REFERENCE = 'mosquitto'

/** One line of the table, also what --json holds. */
export interface Row {
  readonly scenario: string
  readonly metric: string
  /** Medians by peer. */
  readonly figures: Readonly<Record<string, number>>
  /** cinque to mosquitto, above 1: more; and the same for a second of the broker's processor time. */
  readonly ratio: Ratio | null
  readonly ratioPerCpu: Ratio | null
  /** MQTT 5 to 3.1.1, of cinque. */
  readonly mqtt3: Ratio | null
  readonly bars: readonly { readonly bar: string; readonly verdict: string }[]
}

type Read = (figures: Figures) => number

function series(results: readonly (Result | null)[] | undefined, read: Read): number[] {
  return (results ?? []).map((r) => (r === null ? NaN : read(r.figures)))
}

export function buildRows(scenario: Scenario, results: ScenarioResults): Row[] {
  return scenario.metrics.map((metric) => buildRow(scenario, metric, results))
}

function buildRow(scenario: Scenario, metric: Metric, { byPeer, rawStore }: ScenarioResults): Row {
  const read: Read = (f) => (f[metric.figure] ?? NaN) * (metric.scale ?? 1)
  const perCpu: Read = (f) => read(f) / (f['brokerCpu'] ?? NaN)
  const figures = Object.fromEntries(
    [...byPeer].map(([peer, results]) => [peer, median(series(results, read))]),
  )
  const ours = byPeer.get(OURS)
  const ratio = (of: Read) => ratioOf(series(ours, of), series(byPeer.get(REFERENCE), of))
  const in3 = (ours ?? []).map((r) => (r?.mqtt3 == null ? NaN : read(r.mqtt3)))
  const measurement: Measurement = {
    figure: figures[OURS] ?? NaN,
    mosquitto: ratio(read),
    mqtt3: ratioOf(series(ours, read), in3),
    store: ratioOf(series(ours, read), rawStore),
  }
  const lossless = (ours ?? []).every((r) => r !== null && r.problems.length === 0)
  return {
    scenario: scenario.name,
    metric: metric.label,
    figures,
    ratio: measurement.mosquitto,
    ratioPerCpu: metric.perCpu === true ? ratio(perCpu) : null,
    mqtt3: measurement.mqtt3,
    bars: (metric.bars ?? []).map((bar) => ({
      bar: describeBar(bar),
      verdict: judge(bar, measurement, lossless),
    })),
  }
}

const range = (r: Ratio | null) =>
  r === null
    ? '-'
    : r.low === r.high
      ? compact(r.median)
      : `${compact(r.median)} (${compact(r.low)}..${compact(r.high)})`

export function formatRows(rows: readonly Row[], peers: readonly string[]): string {
  const head = [
    'scenario',
    'figure',
    ...peers,
    'cinque : mosquitto',
    'per CPU-s',
    'v5 : 3.1.1',
    'bar',
    'verdict',
  ]
  const lines = rows.map((row) => [
    row.scenario,
    row.metric,
    ...peers.map((peer) => compact(row.figures[peer] ?? NaN)),
    range(row.ratio),
    row.ratioPerCpu === null ? '-' : compact(row.ratioPerCpu.median),
    row.mqtt3 === null ? '-' : compact(row.mqtt3.median),
    row.bars.map((b) => b.bar).join(', '),
    row.bars.map((b) => b.verdict).join(', '),
  ])
  return formatTable([head, ...lines], 2)
}
