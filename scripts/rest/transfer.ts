import { createReadStream, createWriteStream, openSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { AnyRequest, CinqueClient, EventPath, LiveEvent, PathsOf } from '#client/index.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { CliError, errorLine, printJson, printLine } from '#scripts/output.ts'

/** Writes an answer of any length to a file, or to the standard output. */
export async function writeStream(bytes: AsyncIterable<Uint8Array>, file: string | undefined): Promise<void> {
  if (file !== undefined) return pipeline(bytes, createWriteStream(file))
  return pipeline(bytes, process.stdout, { end: false })
}

/** Sends a CSV or NDJSON file while it is read. */
export async function sendFile(
  client: CinqueClient,
  path: PathsOf<'post'>,
  request: AnyRequest,
  file: string,
): Promise<unknown> {
  const input = file === '-' ? process.stdin : createReadStream(file, { fd: descriptorOf(file) })
  const body = Readable.toWeb(input) as ReadableStream<Uint8Array>
  const type = /\.(?:ndjson|jsonl)$/i.test(file) ? 'application/x-ndjson' : 'text/csv'
  return client.upload(path, { ...request, body, type })
}

function descriptorOf(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${errorLine(error)}`, { exitCode: 2, cause: error })
  }
}

/** Prints events, one a line, until SIGINT or SIGTERM. */
export async function printEvents(
  client: CinqueClient,
  path: EventPath,
  request: AnyRequest,
  json: boolean,
): Promise<void> {
  const stopping = new AbortController()
  void untilStopped().then(() => stopping.abort())
  let opened = false
  const events = client.events(path, request, {
    signal: stopping.signal,
    onOpen: () => {
      if (!json && !opened) process.stderr.write('waiting for events; Ctrl-C ends\n')
      opened = true
    },
    onBreak: () => process.stderr.write('cinque: the stream ended; opening it again\n'),
  })
  for await (const event of events) {
    if (json) printJson(event)
    else printLine(lineOf(event))
  }
}

function lineOf({ event, data }: LiveEvent): string {
  if (typeof data !== 'object' || data === null) return `${event}  ${JSON.stringify(data)}`
  const { at, device, ...rest } = data as { at?: unknown; device?: { name?: unknown } | null }
  const parts = [
    ...(typeof at === 'number' ? [new Date(at).toISOString()] : []),
    event,
    ...(typeof device?.name === 'string' ? [device.name] : []),
    JSON.stringify(rest),
  ]
  return parts.join('  ')
}
