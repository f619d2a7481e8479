import type { Bar } from './bars.ts'
import { checkChurn, checkConnections, checkFlow, checkKnownSet, checkTelemetry } from './checks.ts'
import type { Metric, Scenario } from './scenario.ts'

const QOS = [0, 1, 2] as const
type Qos = (typeof QOS)[number]

/**
 * Who sends to whom. `window` is for QoS 1 and 2; `credit`, deliveries outstanding at most, keeps QoS 0 lossless on
 * brokers that queue without end, and QoS 2 fan-in within what mosquitto's in-flight list stands.
 */
const shapes = {
  '1-1': { pubs: 1, subs: 1, topics: 1, window: 64, credit: 20_000 },
  '1-100': { pubs: 1, subs: 100, topics: 1, window: 64, credit: 200_000 },
  '100-1': { pubs: 100, subs: 1, topics: 1, window: 16, credit: 20_000 },
  pairs: { pubs: 100, subs: 100, topics: 100, window: 16, credit: 50_000 },
} as const
type Shape = keyof typeof shapes
const SHAPES: readonly Shape[] = ['1-1', '1-100', '100-1', 'pairs']

/** Times mosquitto, MQTT 3.1.1. */
const bars: Partial<Record<`${Shape}-q${Qos}`, number>> = {
  '1-1-q0': 20,
  '1-100-q0': 60,
  '100-1-q0': 15,
  '1-1-q1': 10,
  '1-100-q1': 12,
  '100-1-q1': 5,
  '1-1-q2': 8,
}
const MQTT5_OF_MQTT3 = 0.85

function flowArgs(shape: Shape, qos: Qos): string[] {
  const { pubs, subs, topics, window } = shapes[shape]
  const credit = shape === '100-1' && qos === 2 ? 1000 : shapes[shape].credit
  const counts = ['--pubs', pubs, '--subs', subs, '--topics', topics, '--qos', qos, '--window', window]
  return ['flow', ...counts.map(String), '--credit', String(credit)]
}

const deliveries = (list: readonly Bar[]): Metric => ({
  label: 'deliveries/s',
  figure: 'receivedPerS',
  better: 'more',
  perCpu: true,
  bars: list,
})

function flows(version: 4 | 5): Scenario[] {
  return QOS.flatMap((qos) =>
    SHAPES.map((shape): Scenario => {
      const name = `${shape}-q${qos}` as const
      const least = bars[name]
      const own: Bar[] =
        version === 5
          ? [{ of: 'mqtt3', atLeast: MQTT5_OF_MQTT3 }]
          : least === undefined
            ? []
            : [{ of: 'mosquitto', atLeast: least }]
      return {
        name: version === 5 ? `${name}-v5` : name,
        args: flowArgs(shape, qos),
        needs: version === 5 ? ['mqtt5'] : [],
        asMqtt3: version === 5,
        metrics: [deliveries(own)],
        check: checkFlow,
      }
    }),
  )
}

const latency: readonly Metric[] = (['p50', 'p99', 'p999'] as const).map((q) => ({
  label: `latency ${q === 'p999' ? 'p99.9' : q}, us`,
  figure: `latencyUs.${q}`,
  better: 'less',
}))

/** Open loop at a fixed rate: latency counts from when a message was due. */
function fixedRate(name: string, rate: number, args: readonly string[], cpuBars: readonly Bar[]): Scenario {
  const cpu: Metric = {
    label: 'CPU, % of a core',
    figure: 'brokerCpu',
    scale: 100,
    better: 'less',
    bars: cpuBars,
  }
  return {
    name,
    args: ['flow', '--rate', String(rate), ...args],
    needs: [],
    metrics: [cpu, ...latency],
    check: checkFlow,
  }
}

const hundred = ['--pubs', '100']
const fixed: readonly Scenario[] = [
  fixedRate('sparse-20k', 20_000, hundred, [{ of: 'mosquitto', atMost: 1.15 }]),
  fixedRate('sparse-30k', 30_000, hundred, []),
  fixedRate('fixed-20k-q1', 20_000, [...hundred, '--subs', '100', '--topics', '100', '--qos', '1'], []),
]

/** Acknowledged when stored: 100 publishers, window 16, to persistent sessions that are connected or away. */
const durable: readonly Scenario[] = [
  {
    name: 'persistent-100-1',
    args: [...flowArgs('100-1', 1), '--persist'],
    needs: ['durable'],
    metrics: [
      deliveries([
        { of: 'figure', atLeast: 30_000 },
        { of: 'store', atLeast: 0.5 },
      ]),
    ],
    check: checkFlow,
  },
  {
    name: 'persistent-pairs',
    args: [...flowArgs('pairs', 1), '--persist'],
    needs: ['durable'],
    metrics: [deliveries([])],
    check: checkFlow,
  },
  {
    name: 'queue-away',
    args: ['session', '--subs', '50', '--count', '1000', '--window', '1024'],
    needs: ['durable'],
    metrics: [
      { label: 'queued/s', figure: 'storePerS', better: 'more' },
      { label: 'delivered on return/s', figure: 'replayPerS', better: 'more' },
    ],
    check: checkKnownSet,
  },
]

const telemetryDevices = 100
const telemetry = (points: number, list: readonly Bar[]): Scenario => ({
  name: `telemetry-${points}`,
  args: ['telemetry', '--pubs', String(telemetryDevices), '--window', '16', '--points', String(points)],
  needs: ['platform', 'durable'],
  devices: telemetryDevices,
  metrics: [
    { label: 'points/s', figure: 'pointsPerS', better: 'more', perCpu: true, bars: list },
    { label: 'acknowledged p99, us', figure: 'ackUs.p99', better: 'less' },
  ],
  check: checkTelemetry,
})

const IDLE = 10_000
const idle = (name: string, args: readonly string[], kb: number): Scenario => ({
  name,
  args: ['conn', '--conns', String(IDLE), '--subscribe', ...args],
  needs: args.includes('--tls') ? ['tls'] : [],
  metrics: [
    { label: 'KB a connection', figure: 'kbPerConn', better: 'less', bars: [{ of: 'figure', atMost: kb }] },
  ],
  check: checkConnections,
})

const connections: readonly Scenario[] = [
  idle('idle-plain', [], 6),
  idle('idle-tls', ['--tls'], 46),
  {
    name: 'connect-storm',
    // 64 at a time: mosquitto's listen backlog is 100, beyond it connects wait a second for the next SYN
    args: ['conn', '--conns', String(IDLE), '--hold', '0', '--parallel', '64'],
    needs: [],
    metrics: [
      {
        label: 'connects/s',
        figure: 'connectsPerS',
        better: 'more',
        perCpu: true,
        bars: [{ of: 'figure', atLeast: 10_000 }],
      },
      { label: 'CONNACK p99, us', figure: 'connectUs.p99', better: 'less' },
    ],
    check: checkConnections,
  },
  {
    name: 'connect-churn',
    args: ['churn', '--parallel', '64'],
    needs: [],
    metrics: [{ label: 'cycles/s', figure: 'connectsPerS', better: 'more', perCpu: true }],
    check: checkChurn,
  },
]

const retained = (name: string, subs: number, rounds: number, list: readonly Bar[]): Scenario => ({
  name,
  args: ['retain', '--topics', '10000', '--subs', String(subs), '--count', String(rounds), '--window', '256'],
  needs: [],
  metrics: [{ label: 'deliveries/s', figure: 'deliveredPerS', better: 'more', bars: list }],
  check: checkKnownSet,
})

/** Every scenario, in the order they run. */
export const scenarios: readonly Scenario[] = [
  ...flows(4),
  ...fixed,
  ...connections,
  retained('retained-10k', 1, 21, [{ of: 'mosquitto', atLeast: 5 }]),
  retained('retained-10k-storm', 20, 3, []),
  ...durable,
  telemetry(1, [{ of: 'figure', atLeast: 20_000 }]),
  telemetry(10, []),
  ...flows(5),
]

/**
 * The scenarios whose name matches one of the patterns (`*` stands for anything), in their own order; all without a
 * pattern.
 * @throws when a pattern matches none.
 */
export function selectScenarios(patterns: readonly string[]): readonly Scenario[] {
  if (patterns.length === 0) return scenarios
  const tests = patterns.map((pattern) => {
    const source = pattern
      .split('*')
      .map((part) => RegExp.escape(part))
      .join('.*')
    const test = new RegExp(`^${source}$`)
    if (!scenarios.some((s) => test.test(s.name)))
      throw new Error(`--scenario ${pattern}: none has that name; see --list`)
    return test
  })
  return scenarios.filter((s) => tests.some((test) => test.test(s.name)))
}
