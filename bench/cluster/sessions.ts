import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { atMost, type ClusterScenario, type Line } from './scenario.ts'
import type { SessionsReport, SessionsTask } from './sessions-member.ts'

const SESSIONS = 100_000
const RETAINED = 100_000
const BYTES = 400
const LOAD_S = 15

async function load(task: SessionsTask): Promise<SessionsReport> {
  const script = path.join(import.meta.dirname, 'sessions-member.ts')
  const child = fork(script, [JSON.stringify(task)], { execArgv: ['--expose-gc', '--single-threaded-gc'] })
  const ended = once(child, 'exit').then(() => {
    throw new Error('the process that loads sessions ended before it was done')
  })
  const [report] = (await Promise.race([once(child, 'message'), ended])) as [SessionsReport]
  ended.catch(() => undefined)
  if (report.known !== task.sessions)
    throw new Error(`${report.known} of ${task.sessions} sessions are known`)
  return report
}

/** What every process of a cell has in memory for each session of the cell, wherever it is held. */
export const sessions: ClusterScenario = {
  name: 'sessions',
  about:
    'memory of 100 k persistent sessions with own topics in each process, and of retained messages; time to load them',
  async run({ say }): Promise<Line[]> {
    const none = await load({ sessions: 0, retained: 0 })
    say(`${SESSIONS} sessions`)
    const all = await load({ sessions: SESSIONS, retained: 0 })
    say(`${RETAINED} retained messages`)
    const kept = await load({ sessions: 0, retained: RETAINED })
    const each = (all.bytes - none.bytes) / SESSIONS
    return [
      {
        what: 'a session with one subscription, bytes in each process',
        value: each.toFixed(0),
        bar: atMost(each, BYTES),
      },
      {
        what: 'a retained message of 100 bytes, bytes in each process',
        value: ((kept.bytes - none.bytes) / RETAINED).toFixed(0),
      },
      {
        what: 'start with 100 k sessions in a store in memory, 3 s of it for others to be heard, s',
        value: (all.ms / 1000).toFixed(2),
        bar: atMost(all.ms / 1000, LOAD_S),
      },
    ]
  },
}
