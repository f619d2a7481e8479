import type { Command } from 'commander'
import { z } from 'zod'
import type { LiveEvent } from '#client/index.ts'
import { connect } from '#scripts/client/connect.ts'
import { type TargetOptions, withTarget } from '#scripts/client/target.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { printJson, printLine } from '#scripts/output.ts'

interface TailOptions extends TargetOptions {
  device?: string
  json?: true
}

const liveEvent = z.object({
  device: z.object({ id: z.string(), name: z.string() }),
  at: z.number(),
  points: z.array(z.object({ key: z.string(), ts: z.number(), value: z.unknown() })),
})

export function addTail(program: Command): void {
  withTarget(
    program
      .command('tail')
      .description('print values live, one line each, until Ctrl-C')
      .addHelpText('after', '\nExample:\n  cinque tail --device thermo-1')
      .option('--device <name>', 'only of this device'),
  ).action(tail)
}

async function tail(options: TailOptions): Promise<void> {
  const client = connect(options)
  const stopping = new AbortController()
  void untilStopped().then(() => stopping.abort())
  let connected = false
  const device = options.device === undefined ? {} : { device: options.device }
  const events = client.live(
    { ...device, types: 'telemetry' },
    {
      signal: stopping.signal,
      onOpen: () => {
        if (!connected && options.json !== true) process.stderr.write('waiting for values; Ctrl-C ends\n')
        connected = true
      },
      onBreak: () => process.stderr.write('cinque: the stream ended; opening it again\n'),
    },
  )
  for await (const event of events) show(event, options.json === true)
}

function show(event: LiveEvent, json: boolean): void {
  if (event.event !== 'telemetry') {
    process.stderr.write(`cinque: ${event.event}: ${JSON.stringify(event.data)}\n`)
    return
  }
  const { device, points } = liveEvent.parse(event.data)
  for (const { key, ts, value } of points) {
    if (json) printJson({ device: device.name, key, ts, value })
    else printLine(`${new Date(ts).toISOString()}  ${device.name}  ${key}  ${JSON.stringify(value)}`)
  }
}
