import type { CellStatus } from '#scripts/cell/cell.ts'
import { askLauncher } from '#scripts/cell/control.ts'
import type { PartStatus } from '#scripts/cell/part.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { type Gate, obstaclesOf } from './gates/gate.ts'
import type { Hands } from './hands.ts'
import type { Traffic } from './traffic.ts'

const readyTimeoutMs = 3000

/** Hosts of a `cinque dev --dcs` on this machine, by its launcher. They can be restarted. */
export function cellHands(directory: string, traffic: Traffic, gates: readonly Gate[]): Hands {
  const parts = async (): Promise<{ status: CellStatus; parts: readonly PartStatus[] }> => {
    const status = await askLauncher(directory, { do: 'status' })
    return { status, parts: status.dcs.flatMap((dc) => dc.parts) }
  }
  const dcOf = async (host: string): Promise<string> => {
    const found = (await parts()).parts.find((part) => part.host === host)
    if (found !== undefined) return found.dc
    throw new CliError(`this cell has no host "${host}"`)
  }
  const processes: Gate = {
    name: 'processes',
    async look(host) {
      const { status, parts: all } = await parts()
      const away = all.filter((part) => part.host !== host && part.state !== 'running')
      const cut = status.dcs.filter(({ cutFrom }) => cutFrom.length > 0)
      return [
        ...away.map(({ name, state }) => `${name} is ${state}`),
        ...cut.map(({ name, cutFrom }) => `${name} is cut off from ${cutFrom.join(', ')}`),
      ]
    },
  }
  return {
    obstacles: (host, signal) => obstaclesOf([processes, ...gates], host, signal),
    // Who is still there then goes when its brokers are stopped in good order.
    drain: (host, until, signal) => traffic.away(host, until, signal),
    extend: (host, until) => traffic.extend(host, until),
    async restart(host) {
      const dc = await dcOf(host)
      await askLauncher(directory, { do: 'processes', action: 'stop', dc, host })
      await askLauncher(directory, { do: 'processes', action: 'start', dc, host })
    },
    reinstall: () => Promise.reject(cannot('reinstalled')),
    upgrade: () => Promise.reject(cannot('upgraded')),
    apply: () => Promise.reject(cannot('made by Puppet')),
    remove: () => Promise.reject(cannot('removed')),
    async ailment(host, signal) {
      const { status, parts: all } = await parts()
      const ill = all.find((part) => part.host === host && part.state !== 'running')
      if (ill !== undefined)
        return `${ill.name} is ${ill.state}${ill.problem === null ? '' : `: ${ill.problem}`}`
      const api = all.find((part) => part.host === host && part.kind === 'api')
      const scheme = status.dcs[0]?.http.startsWith('https:') ? 'https' : 'http'
      const why = api === undefined ? null : await unready(`${scheme}://${api.at}/readyz`, signal)
      return why ?? traffic.ailment(host, signal)
    },
    readmit: (host, signal) => traffic.back(host, signal),
  }
}

async function unready(url: string, signal: AbortSignal): Promise<string | null> {
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(readyTimeoutMs)]),
    })
    await answer.body?.cancel()
    return answer.ok ? null : `${url}: ${answer.status}`
  } catch (error) {
    return `${url}: ${errorLine(error)}`
  }
}

function cannot(done: string): CliError {
  return new CliError(`hosts of a cell on one machine cannot be ${done}`, {
    remedy: 'Use `cinque roll restart` there; the rest is for hosts of their own.',
  })
}
