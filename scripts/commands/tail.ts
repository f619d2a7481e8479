import type { Command } from 'commander'
import { z } from 'zod'
import { serverSentEvents, type ServerSentEvent } from '#scripts/client/events.ts'
import { RestClient, RestError } from '#scripts/client/rest.ts'
import { findTarget, type TargetOptions, withTarget } from '#scripts/client/target.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { printJson, printLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'

interface TailOptions extends TargetOptions {
  device?: string
  json?: true
}

const liveEvent = z.object({
  device: z.object({ id: z.string(), name: z.string() }),
  at: z.number(),
  points: z.array(z.object({ key: z.string(), ts: z.number(), value: z.unknown() })),
})

/** Milliseconds before a stream that broke is opened again. */
const retryMs = 2000

export function addTail(program: Command): void {
  withTarget(
    program
      .command('tail')
      .description('print values live, one line each, until Ctrl-C')
      .option('--device <name>', 'only of this device'),
  ).action(tail)
}

async function tail(options: TailOptions): Promise<void> {
  const rest = new RestClient(findTarget(options))
  const stopping = new AbortController()
  void untilStopped().then(() => stopping.abort())
  const query = options.device === undefined ? '' : `?device=${encodeURIComponent(options.device)}`
  let last: string | undefined
  let connected = false
  while (!stopping.signal.aborted) {
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(last === undefined ? {} : { 'last-event-id': last }),
      }
      const { body } = await rest.open(`/v1/live${query}`, { headers, signal: stopping.signal })
      if (!connected && options.json !== true) process.stderr.write('waiting for values; Ctrl-C ends\n')
      connected = true
      if (body === null) continue
      for await (const event of serverSentEvents(body)) {
        last = event.id ?? last
        show(event, options.json === true)
      }
    } catch (error) {
      // Before the first connection, or refused: trying again would not help.
      if (stopping.signal.aborted) return
      if (!connected || error instanceof RestError) throw error
    }
    if (stopping.signal.aborted) return
    process.stderr.write('cinque: the stream ended; opening it again\n')
    await pause(retryMs, stopping.signal)
  }
}

function show(event: ServerSentEvent, json: boolean): void {
  if (event.event !== 'telemetry') {
    process.stderr.write(`cinque: ${event.event}: ${event.data}\n`)
    return
  }
  const { device, points } = liveEvent.parse(JSON.parse(event.data))
  for (const { key, ts, value } of points) {
    if (json) printJson({ device: device.name, key, ts, value })
    else printLine(`${new Date(ts).toISOString()}  ${device.name}  ${key}  ${JSON.stringify(value)}`)
  }
}
