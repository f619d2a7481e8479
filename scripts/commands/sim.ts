import { readFileSync } from 'node:fs'
import { InvalidArgumentError, type Command } from 'commander'
import { ApiError, type CinqueClient } from '#client/index.ts'
import { clientOf } from '#scripts/client/connect.ts'
import { defaultCellData, findTarget, type TargetOptions, withTarget } from '#scripts/client/target.ts'
import { wholeNumber } from '#scripts/options.ts'
import { CliError, errorCode, errorLine, printJson, printLine } from '#scripts/output.ts'
import type { AckMeter, AckReport } from '#scripts/sim/ack-meter.ts'
import type { Way } from '#scripts/sim/dial.ts'
import type { Fleet, SimulatedDevice } from '#scripts/sim/fleet.ts'

interface SimOptions extends TargetOptions {
  devices: number
  rate?: number
  seconds?: number
  resolve?: true
  nameServer?: string[]
  ca?: string
  json?: true
}

const maxRate = 100_000
/** Devices being made at a time. */
const maxMaking = 16
/** How long the last acknowledgements are waited for, in milliseconds. */
const closeMs = 5000

export function addSim(program: Command): void {
  withTarget(
    program
      .command('sim')
      .description('act as devices: connect over MQTT and publish telemetry at QoS 1, until Ctrl-C')
      .addHelpText('after', '\nExample:\n  cinque sim --devices 10 --rate 100 --seconds 60')
      .option(
        '--devices <n>',
        'how many; sim-1, sim-2, ... are made, or used again with new keys',
        wholeNumber(1, 10_000),
        3,
      )
      .option('--rate <n>', 'messages a second, all devices together (default: one a device)', rate)
      .option('--seconds <n>', 'stop after this time', wholeNumber(1, 86_400))
      .option('--mqtt <url>', 'broker (default: that of the running `cinque dev`)')
      .option('--resolve', 'find the brokers of the running `cinque dev --dcs` by the name of the service')
      .option('--name-server <address...>', 'find the name in --mqtt by these (default: as the system does)')
      .option('--ca <file>', 'authority of the broker’s certificate, PEM (default: the public ones)'),
  ).action(sim)
}

function rate(text: string): number {
  const value = Number(text)
  if (value > 0 && value <= maxRate) return value
  throw new InvalidArgumentError(`Expected a number above 0, at most ${maxRate}.`)
}

async function sim(options: SimOptions): Promise<void> {
  const target = findTarget(options)
  const way = await wayOf(options, target.mqtt)
  const devices = await makeDevices(clientOf(target), options.devices)
  const [{ AckMeter }, { Fleet }] = await Promise.all([
    import('#scripts/sim/ack-meter.ts'),
    import('#scripts/sim/fleet.ts'),
  ])
  const meter = new AckMeter()
  const fleet = new Fleet(meter)
  try {
    await fleet.connect(way, devices)
    await run(fleet, meter, way.url, options)
  } finally {
    await fleet.close(closeMs)
  }
  const total = meter.total()
  if (options.json === true) printJson({ event: 'summary', ...total })
  else printLine(`done: ${describe(total)}`)
  if (total.acknowledged < total.sent) process.exitCode = 1
}

async function wayOf({ resolve, nameServer, ca, ...options }: SimOptions, mqtt: string): Promise<Way> {
  const [{ StubResolver }, { cellWay }] = await Promise.all([
    import('#scripts/sim/stub-resolver.ts'),
    import('#scripts/sim/cell-way.ts'),
  ])
  if (resolve === true) {
    const other = [nameServer && '--name-server', ca && '--ca', options.mqtt && '--mqtt'].find(Boolean)
    if (other) throw new CliError(`--resolve and ${other} exclude each other`, { exitCode: 2 })
    return cellWay(options.data ?? defaultCellData)
  }
  try {
    return {
      url: mqtt,
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
      ...(nameServer === undefined ? {} : { resolver: new StubResolver({ servers: nameServer }) }),
    }
  } catch (error) {
    const said = nameServer === undefined || errorCode(error) === 'ENOENT' ? '--ca' : '--name-server'
    throw new CliError(`${said}: ${errorLine(error)}`, { exitCode: 2, cause: error })
  }
}

async function run(fleet: Fleet, meter: AckMeter, broker: string, options: SimOptions): Promise<void> {
  const stopped = new AbortController()
  process.once('SIGINT', () => stopped.abort())
  process.once('SIGTERM', () => stopped.abort())
  const messages = options.rate ?? options.devices
  if (options.json !== true) {
    printLine(`${options.devices} devices on ${broker}, ${messages} messages a second; Ctrl-C ends`)
  }
  let seconds = 0
  const progress = setInterval(() => {
    show(++seconds, meter.recent(), options.json === true)
    if (seconds === options.seconds) stopped.abort()
  }, 1000)
  await fleet.publish(messages, stopped.signal)
  clearInterval(progress)
}

async function makeDevices(client: CinqueClient, count: number): Promise<SimulatedDevice[]> {
  const devices: SimulatedDevice[] = []
  for (let at = 0; at < count; at += maxMaking) {
    const names = Array.from({ length: Math.min(maxMaking, count - at) }, (_, i) => `sim-${at + i + 1}`)
    devices.push(...(await Promise.all(names.map((name) => addOrRotate(client, name)))))
  }
  return devices
}

async function addOrRotate(client: CinqueClient, name: string): Promise<SimulatedDevice> {
  try {
    return await client.post('/v1/devices', { body: { name } })
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'name_taken') throw error
    return client.post('/v1/devices/{device}/key', { params: { path: { device: name } } })
  }
}

function show(seconds: number, report: AckReport, json: boolean): void {
  if (json) printJson({ event: 'progress', seconds, ...report })
  else printLine(`${String(seconds).padStart(4)} s  ${describe(report)}`)
}

function describe(report: AckReport): string {
  const parts = [`sent ${report.sent}`, `acknowledged ${report.acknowledged}`]
  if (report.ack_p50_ms !== null && report.ack_p99_ms !== null) {
    parts.push(`ack p50 ${report.ack_p50_ms.toFixed(1)} ms`, `p99 ${report.ack_p99_ms.toFixed(1)} ms`)
  }
  if (report.failed > 0) parts.push(`failed ${report.failed}`)
  if (report.skipped > 0) parts.push(`not sent, too many unacknowledged ${report.skipped}`)
  if (report.lost_connections > 0) parts.push(`connections lost ${report.lost_connections}`)
  return parts.join('  ')
}
