import { rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { CliError, errorCode, errorLine } from '#scripts/output.ts'
import type { Cell, CellStatus } from './cell.ts'
import { partKinds } from './part.ts'

/** What the launcher of a cell can be asked for: one JSON line each, one JSON line back. */
const request = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('status') }),
  z.strictObject({
    do: z.literal('processes'),
    action: z.enum(['kill', 'stop', 'start', 'freeze', 'thaw']),
    dc: z.string(),
    part: z.enum(partKinds).optional(),
    host: z.string().optional(),
  }),
  z.strictObject({
    do: z.literal('packets'),
    action: z.enum(['cut', 'heal']),
    dc: z.string(),
    /** Absent: all others. */
    other: z.string().optional(),
    /** Its checker alone, from everything. */
    part: z.literal('checker').optional(),
  }),
  z.strictObject({ do: z.literal('slow'), dc: z.string(), ms: z.number().min(0).max(10_000) }),
])
export type ControlRequest = z.output<typeof request>

type Answer =
  | { ok: CellStatus }
  | { error: { message: string; remedy?: string | undefined; exitCode?: 1 | 2 | undefined } }

const socketFile = 'control.sock'
/** Longest path of a Unix socket on Linux is 107 bytes, on macOS 103. */
const maxPath = 100
const maxLine = 65_536

/** Answers `cinque dc` until closed. */
export async function serveControl(cell: Cell): Promise<Server> {
  const path = socketPath(cell.directory)
  rmSync(path, { force: true })
  const server = createServer({ allowHalfOpen: true }, (socket) => void converse(cell, socket))
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(path, listening)
  })
  return server
}

async function converse(cell: Cell, socket: Socket): Promise<void> {
  socket.on('error', () => socket.destroy())
  for await (const line of createInterface({ input: socket })) {
    const answer: Answer =
      line.length > maxLine ? { error: { message: 'line too long' } } : await answerTo(cell, line)
    socket.write(`${JSON.stringify(answer)}\n`)
  }
  socket.end()
}

async function answerTo(cell: Cell, line: string): Promise<Answer> {
  try {
    const asked = request.parse(JSON.parse(line))
    await carryOut(cell, asked)
    return { ok: asked.do === 'status' ? await cell.statusWithStandings() : cell.status() }
  } catch (error) {
    const { remedy, exitCode } = error instanceof CliError ? error : {}
    return { error: { message: errorLine(error), remedy, exitCode } }
  }
}

async function carryOut(cell: Cell, asked: ControlRequest): Promise<void> {
  if (asked.do === 'status') return
  const dc = cell.dc(asked.dc)
  if (asked.do === 'processes') await dc[asked.action]({ kind: asked.part, host: asked.host })
  else if (asked.do === 'slow') await dc.slow(asked.ms)
  else if (asked.part === 'checker') await dc.cutChecker(asked.action === 'cut')
  else await dc[asked.action](asked.other === undefined ? undefined : cell.dc(asked.other))
}

/** Asks the launcher of the cell in a directory. CliError: there is none, or it refuses. */
export async function askLauncher(directory: string, asked: ControlRequest): Promise<CellStatus> {
  const line = await exchange(directory, `${JSON.stringify(asked)}\n`)
  const answer = JSON.parse(line) as Answer
  if ('ok' in answer) return answer.ok
  const { message, remedy, exitCode } = answer.error
  throw new CliError(message, {
    ...(remedy === undefined ? {} : { remedy }),
    ...(exitCode === undefined ? {} : { exitCode }),
  })
}

function exchange(directory: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath(directory))
    let text = ''
    socket.setEncoding('utf8')
    socket.once('connect', () => socket.end(line))
    socket.on('data', (part: string) => (text += part))
    socket.once('end', () => {
      if (text.endsWith('\n')) resolve(text)
      else reject(new CliError('the cell was stopped before it answered'))
    })
    socket.once('error', (error) => {
      const none = errorCode(error) === 'ENOENT' || errorCode(error) === 'ECONNREFUSED'
      reject(
        new CliError(none ? `no cell runs in ${directory}` : `${directory}: ${errorLine(error)}`, {
          remedy: 'Start one with `cinque dev --dcs 5`, or name its directory: --data DIR.',
          cause: error,
        }),
      )
    })
  })
}

/**
 * Where the launcher is asked: the shorter of the absolute and the relative path, as those of sockets are short.
 * CliError if both are too long.
 */
export function socketPath(directory: string): string {
  const absolute = join(directory, socketFile)
  const below = relative(process.cwd(), absolute)
  const path = below.length < absolute.length ? below : absolute
  if (Buffer.byteLength(path) <= maxPath) return path
  throw new CliError(`${directory}: the path is too long for a socket in it`, {
    remedy: 'A directory with a shorter path: --data DIR.',
  })
}
