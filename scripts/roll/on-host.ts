import type { Host } from '#platform/inventory/inventory.ts'
import { pause } from '#scripts/pause.ts'
import type { Remote, RemoteFinished } from '#scripts/remote/remote.ts'

/** How often a command is begun on a host that does not answer. */
const maxTries = 3

/** Commands that may be done again, so that a connection that breaks ends nothing. */
export interface OnHost {
  /** Never rejects, unless at `signal`. */
  readonly doing: (
    host: Host,
    command: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ) => Promise<RemoteFinished>
  /** What it prints; rejects with why it failed. */
  readonly must: (host: Host, command: string, signal: AbortSignal, timeoutMs: number) => Promise<string>
}

export function onHost(remote: Remote, lookMs: number): OnHost {
  const doing: OnHost['doing'] = async (host, command, timeoutMs, signal) => {
    const bounds = { timeoutMs, ...(signal === undefined ? {} : { signal }) }
    let finished = await remote.run(host, command, bounds)
    for (let tries = 1; tries < maxTries && isLost(finished); tries++) {
      // oxlint-disable-next-line no-await-in-loop -- one try after the other
      await pause(lookMs, signal)
      signal?.throwIfAborted()
      // oxlint-disable-next-line no-await-in-loop
      finished = await remote.run(host, command, bounds)
    }
    return finished
  }
  return {
    doing,
    async must(host, command, signal, timeoutMs) {
      const { code, stdout, stderr, failure } = await doing(host, command, timeoutMs, signal)
      signal.throwIfAborted()
      if (code === 0) return stdout.trim()
      const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? ''
      throw new Error(failure ?? `${host.name}: ${said === '' ? `ended with ${code}` : said}`)
    },
  }
}

/** It did not come to the host, or its end did not come back. */
function isLost({ code, failure }: RemoteFinished): boolean {
  return code === 255 && failure !== null && !failure.includes('host key is refused')
}
