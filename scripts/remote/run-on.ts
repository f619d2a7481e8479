import type { Host } from '#platform/inventory/inventory.ts'
import type { OutputName } from '#scripts/child-process.ts'
import type { Remote, RemoteOptions } from './remote.ts'
import { together } from './together.ts'

export interface RanOn {
  readonly host: string
  /** What the command ended with; null: it was not run, or not to its end. */
  readonly code: number | null
  readonly seconds: number
  /** Why it was not run to its end. */
  readonly failure: string | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOnOptions {
  /** Hosts at a time. */
  readonly at: number
  /** After the first that fails no other host begins. */
  readonly failFast: boolean
  readonly input?: NonNullable<RemoteOptions['input']>
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onLine?: (host: string, line: string, from: OutputName) => void
  readonly onEnd?: (ran: RanOn) => void
}

/** Runs a shell command on hosts side by side; never rejects. */
export async function runOn(
  remote: Remote,
  hosts: readonly Host[],
  command: string,
  options: RunOnOptions,
): Promise<RanOn[]> {
  const { at, failFast, onLine, onEnd, ...rest } = options
  let failed = false
  return together(hosts, at, async ({ name }) => {
    if ((failed && failFast) || options.signal.aborted) {
      const failure = `${name}: not begun, as ${failed ? 'another host failed' : 'it was interrupted'}`
      return { host: name, code: null, seconds: 0, failure, stdout: '', stderr: '' }
    }
    const started = performance.now()
    const { code, stdout, stderr, failure } = await remote.run({ name }, command, {
      ...rest,
      ...(onLine && { onLine: (line, from) => onLine(name, line, from) }),
    })
    const seconds = (performance.now() - started) / 1000
    const ran = { host: name, code: failure === null ? code : null, seconds, failure, stdout, stderr }
    failed ||= !isDone(ran)
    onEnd?.(ran)
    return ran
  })
}

export function isDone({ code }: RanOn): boolean {
  return code === 0
}
