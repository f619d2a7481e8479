import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AnswerOf, ApiError } from '#client/index.ts'
import type { RollKind } from '#platform/rolls/roll.ts'
import { errorLine } from '#scripts/output.ts'
import { chosenHosts, type Fleet } from '#scripts/roll/fleet.ts'
import { LostError, restLedger, type ShownRoll } from '#scripts/roll/ledger.ts'
import { connectionsOf } from '#scripts/roll/load.ts'
import { rollingOrder } from '#scripts/roll/order.ts'
import { carryOut } from '#scripts/roll/runner.ts'
import { nextUpgrade } from './upgrade.ts'

export type ShownSchedule = AnswerOf<'/v1/schedules/{schedule}', 'get'>

/** How a job ended, for people. */
export interface Outcome {
  readonly state: 'done' | 'failed'
  readonly note: string
}

export interface JobContext {
  readonly fleet: Fleet
  /** Of this process, as nobody else has it. */
  readonly runner: string
  readonly signal: AbortSignal
  /** Tells that it goes on, and how far it is. */
  readonly tell: (note: string) => Promise<void>
  /** What is run for jobs that are no rolls. */
  readonly commands: Readonly<Partial<Record<'backup' | 'drill', string>>>
  readonly lookMs: number
}

/** Waiting for another roll to end, ms. */
const patienceMs = 6 * 3_600_000
const maxLine = 400

/** Does what was due at `due`; may be called again for the same time after its process has died, and goes on then. */
export function doJob(schedule: ShownSchedule, due: string, context: JobContext): Promise<Outcome> {
  const { job } = schedule
  if (job === 'backup' || job === 'drill') return runCommand(job, due, context)
  return rollFor(job, schedule, due, context)
}

async function rollFor(
  kind: RollKind,
  { name, on }: ShownSchedule,
  due: string,
  context: JobContext,
): Promise<Outcome> {
  // By it another runner finds what this one has begun.
  const reason = `schedule ${name}, due ${due}`
  const deadline = Date.now() + patienceMs
  for (;;) {
    context.signal.throwIfAborted()
    // oxlint-disable-next-line no-await-in-loop -- until it is over
    const roll = await findOrPlan(kind, on, reason, context)
    if (typeof roll === 'string') {
      if (Date.now() > deadline) return { state: 'failed', note: roll }
      // oxlint-disable-next-line no-await-in-loop
      await context.tell(`waits: ${roll}`)
    } else if (!('id' in roll)) {
      return roll
    } else {
      if (roll.ended_at !== null) return outcomeOf(roll)
      // oxlint-disable-next-line no-await-in-loop
      const ended = await carry(roll, context)
      if (ended !== null && ended.ended_at !== null) return outcomeOf(ended)
    }
    // oxlint-disable-next-line no-await-in-loop
    await sleep(context.lookMs, undefined, { signal: context.signal })
  }
}

/** The roll of that reason; why there can't be one now; or how it ends without one. */
async function findOrPlan(
  kind: RollKind,
  on: string,
  reason: string,
  { fleet }: JobContext,
): Promise<ShownRoll | string | Outcome> {
  const { client, inventory } = fleet
  const { items } = await client.get('/v1/rolls', { params: { query: { limit: 50 } } })
  const found = items.find((one) => one.reason === reason)
  if (found !== undefined) return found
  const chosen = chosenHosts(inventory, on === '' ? undefined : on)
  const upgrade = kind === 'upgrade' ? await nextUpgrade(fleet, chosen) : { hosts: chosen }
  if (typeof upgrade === 'string' || !('hosts' in upgrade)) return upgrade
  const hosts = rollingOrder(inventory, upgrade.hosts, await connectionsOf(inventory))
  try {
    return await client.post('/v1/rolls', {
      body: { ...upgrade, kind, reason, hosts: hosts.map((host) => ({ host: host.name, dc: host.dc })) },
    })
  } catch (error) {
    if (error instanceof ApiError && error.code === 'conflict') return error.detail
    throw error
  }
}

/** Null: another runner carries it out, or it waits for a person. */
export async function carry(
  roll: ShownRoll,
  { fleet: { client, hands }, runner, signal, tell }: JobContext,
): Promise<ShownRoll | null> {
  let told = ''
  let telling: Promise<void> = Promise.resolve()
  try {
    return await carryOut({
      ledger: restLedger(client, roll.id, signal),
      hands,
      name: runner,
      signal,
      show: ({ steps }) => {
        const at = steps.find(({ state }) => state === 'running')
        const line = at === undefined ? '' : `${at.host}: ${at.phase ?? ''}`
        if (line !== '' && line !== told) telling = tell((told = line)).catch(() => undefined)
      },
    })
  } catch (error) {
    if (error instanceof LostError || (error instanceof ApiError && error.code === 'conflict')) return null
    throw error
  } finally {
    await telling
  }
}

function outcomeOf({ state, note, steps, id }: ShownRoll): Outcome {
  const done = steps.filter((step) => step.state === 'done').length
  const words = `${done} of ${steps.length} hosts${note === null ? '' : `; ${note}`} (roll ${id})`
  return { state: state === 'done' ? 'done' : 'failed', note: words }
}

/** The last line that it prints is what people read of it. */
async function runCommand(
  job: 'backup' | 'drill',
  due: string,
  { commands, signal, tell }: JobContext,
): Promise<Outcome> {
  const command = commands[job]
  if (command === undefined) {
    return { state: 'failed', note: `no command is given for it: cinque operator --${job} COMMAND` }
  }
  const child = spawn('sh', ['-c', command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CINQUE_DUE: due },
    signal,
    killSignal: 'SIGTERM',
  })
  let last = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      last = text.trimEnd().split('\n').at(-1)?.slice(0, maxLine) ?? last
    })
  }
  const beating = setInterval(() => void tell(last).catch(() => undefined), 30_000)
  try {
    const code = await new Promise<number | null>((ended, failed) => {
      child.once('error', failed)
      child.once('close', ended)
    })
    return { state: code === 0 ? 'done' : 'failed', note: code === 0 ? last : `exit code ${code}: ${last}` }
  } catch (error) {
    signal.throwIfAborted()
    return { state: 'failed', note: errorLine(error) }
  } finally {
    clearInterval(beating)
  }
}
