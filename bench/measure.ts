import { withDirectory } from './clean-up.ts'
import { generate, type Figures, type Generator } from './generator.ts'
import type { Peer } from './peers/peer.ts'
import { freePort, type Pin } from './process.ts'
import type { Scenario } from './scenario.ts'

export interface MeasureOptions {
  readonly generator: Generator
  readonly brokerPin: Pin
  readonly generatorPin: Pin
  readonly seconds: number
  readonly warmSeconds: number
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** Where data directories are made; the disk under it is the one measured. */
  readonly workDirectory?: string
  readonly nodeArgs?: readonly string[]
  /** Called with the broker's process id when it listens; what it returns is called when the load is over. */
  readonly onRunning?: (pid: number) => () => Promise<void>
}

/** What one run of a scenario on one broker gave. */
export interface Result {
  readonly figures: Figures
  /** MQTT 5 scenarios: the same flow in 3.1.1, just before. */
  readonly mqtt3: Figures | null
  /** Losses and the like; empty when all is well. */
  readonly problems: readonly string[]
}

/** Whether the generator used its core up while the broker had time left: the broker could do more than this. */
export function generatorBound(figures: Figures): boolean {
  return (figures['genCpu'] ?? 0) > 0.95 && (figures['brokerCpu'] ?? 1) < 0.95
}

/** Whether the peer can be measured in this scenario; else why not. */
export function obstacle(scenario: Scenario, peer: Peer, options: MeasureOptions): string | null {
  const lacking = scenario.needs.find((need) => !peer.offers.has(need))
  if (lacking !== undefined) return `${peer.name} has no ${lacking}`
  if (!scenario.needs.includes('tls')) return null
  if (!options.generator.tls) return 'the generator was built without TLS (libssl-dev)'
  return options.tls === null ? 'no certificate' : null
}

/** Starts the broker afresh, runs the generator once, stops the broker. Rejects when either could not run. */
async function runOnce(
  scenario: Scenario,
  peer: Peer,
  options: MeasureOptions,
  version: '4' | '5',
): Promise<Omit<Result, 'mqtt3'>> {
  return withDirectory(async (directory) => {
    const running = await peer.start({
      port: await freePort(),
      pin: options.brokerPin,
      directory,
      durable: scenario.needs.includes('durable'),
      tls: scenario.needs.includes('tls') ? options.tls : null,
      devices: scenario.devices ?? 0,
      nodeArgs: options.nodeArgs ?? [],
    })
    try {
      const args = [...scenario.args, '--at', running.address, '--pid', String(running.pid), '--v', version]
      if (running.credentials !== undefined) args.push('--credentials', running.credentials)
      args.push('--time', String(options.seconds), '--warm', String(options.warmSeconds))
      const onOver = options.onRunning?.(running.pid)
      const figures = await generate(options.generator, args, options.generatorPin)
      await onOver?.()
      const complaint = await running.verify?.(figures)
      return { figures, problems: [...scenario.check(figures), ...(complaint == null ? [] : [complaint])] }
    } finally {
      await running.stop()
    }
  }, options.workDirectory)
}

/** One run of a scenario; an MQTT 5 scenario also in 3.1.1, each on a process of its own. */
export async function measure(scenario: Scenario, peer: Peer, options: MeasureOptions): Promise<Result> {
  const before = scenario.asMqtt3 === true ? await runOnce(scenario, peer, options, '4') : null
  const version = scenario.needs.includes('mqtt5') ? '5' : '4'
  const { figures, problems } = await runOnce(scenario, peer, options, version)
  const problems3 = (before?.problems ?? []).map((problem) => `in 3.1.1: ${problem}`)
  return { figures, mqtt3: before?.figures ?? null, problems: [...problems3, ...problems] }
}
