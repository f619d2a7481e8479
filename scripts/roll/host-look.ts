import type { Host } from '#platform/inventory/inventory.ts'
import type { Remote } from '#scripts/remote/remote.ts'

/** What a host says of itself, and its Cassandra of the others. */
export interface HostLook {
  /** Why it is not well, a line each; empty: all that it should run runs. */
  readonly ailments: readonly string[]
  /** Cassandra's word on each node by its address, as `UN`: up and normal. Null: it has none, or that says nothing. */
  readonly ring: ReadonlyMap<string, string> | null
}

const lookMs = 60_000

/** Services of ours that start with the host; those that run to their end at their time are none. */
export const listUnits =
  "systemctl list-unit-files --state=enabled --plain --no-legend 'cinque-*.service' cassandra.service | cut -d' ' -f1"

/** Looks at a host by ssh. Never rejects: a host that cannot be asked is not well. */
export async function lookAt(
  remote: Remote,
  host: Host,
  ports: { readonly http: number },
  signal: AbortSignal,
): Promise<HostLook> {
  const app = host.roles.includes('app')
  const db = host.roles.includes('db')
  const address = host.address.includes(':') ? `[${host.address}]` : host.address
  const { code, stdout, stderr, failure } = await remote.run(
    host,
    [
      `units=$(${listUnits})`,
      `[ -n "$units" ] || { echo 'nothing of ours is installed' >&2; exit 1; }`,
      'systemctl show --property=Id,ActiveState,SubState,NRestarts $units',
      `echo; echo '== ready'`,
      app
        ? `curl -sS --max-time 5 --output /dev/null --write-out '%{http_code}\\n' http://${address}:${ports.http}/readyz 2>&1`
        : '',
      `echo '== ring'`,
      db ? 'nodetool status 2>&1' : '',
      'true',
    ].join('\n'),
    { timeoutMs: lookMs, signal },
  )
  if (code !== 0) return { ailments: [failure ?? `${host.name}: ${lastLine(stderr)}`], ring: null }
  const [units, rest = ''] = stdout.split('== ready\n')
  const [ready, status = ''] = rest.split('== ring\n')
  const ring = db ? ringOf(status) : null
  const ailments = unitAilments(units)
  // What does not run says why; that nothing answers then is no news.
  if (ailments.length === 0 && app && ready.trim() !== '200') ailments.push(`/readyz: ${lastLine(ready)}`)
  if (ailments.length === 0 && db && ring?.get(host.address) !== 'UN')
    ailments.push(`its Cassandra is ${ring?.get(host.address) ?? `silent: ${lastLine(status)}`}`)
  return { ailments: ailments.map((line) => `${host.name}: ${line}`), ring }
}

/** Of what `systemctl show` says of several units. */
function unitAilments(shown: string): string[] {
  return shown
    .trim()
    .split(/\n\n+/)
    .flatMap((block) => {
      const said = new Map(
        block.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]),
      )
      const state = said.get('ActiveState')
      if (state === 'active') return []
      const restarts = Number(said.get('NRestarts') ?? 0)
      const again = restarts > 0 ? `, started again ${restarts} times` : ''
      return [
        `${said.get('Id') ?? 'a service'} is ${state ?? 'unknown'} (${said.get('SubState') ?? ''})${again}`,
      ]
    })
}

/** Of what `nodetool status` says. Null: no node is in it. */
export function ringOf(status: string): ReadonlyMap<string, string> | null {
  const nodes = status.split('\n').flatMap((line) => {
    const [, state, address] = /^([UD][NLJM])\s+(\S+)/.exec(line) ?? []
    return address === undefined ? [] : [[address, state] as const]
  })
  return nodes.length === 0 ? null : new Map(nodes)
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
