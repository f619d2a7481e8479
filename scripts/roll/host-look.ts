import type { Host } from '#platform/inventory/inventory.ts'
import type { Remote } from '#scripts/remote/remote.ts'

const lookMs = 60_000

/** Services of ours that start with the host; those that run to their end at their time are none. */
export const listUnits =
  "systemctl list-unit-files --state=enabled --plain --no-legend 'cinque-*.service' cassandra.service | cut -d' ' -f1"

/** Why a host is not well, a line each; empty: all runs that it should run, and takes work. Never rejects. */
export async function lookAt(
  remote: Remote,
  host: Host,
  ports: { readonly http: number },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const address = host.address.includes(':') ? `[${host.address}]` : host.address
  const url = `http://${address}:${ports.http}/readyz`
  const app = host.roles.includes('app')
  const { code, stdout, stderr, failure } = await remote.run(
    host,
    [
      `units=$(${listUnits})`,
      `[ -n "$units" ] || { echo 'nothing of ours is installed' >&2; exit 1; }`,
      'systemctl show --property=Id,ActiveState,SubState,NRestarts $units',
      `echo '== ready'`,
      app ? `curl -sS --max-time 5 --output /dev/null --write-out '%{http_code}' ${url} 2>&1; true` : '',
    ].join('\n'),
    { timeoutMs: lookMs, signal },
  )
  if (code !== 0) return [failure ?? `${host.name}: ${lastLine(stderr)}`]
  const [units, ready = ''] = stdout.split('== ready\n')
  const lines = unitAilments(units)
  // What does not run says why; that nothing answers then is no news.
  if (lines.length === 0 && app && ready.trim() !== '200') lines.push(`/readyz: ${lastLine(ready)}`)
  return lines.map((line) => `${host.name}: ${line}`)
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

/** What `nodetool status` says of a node by its address, as `UN`: up and normal. */
export function stateIn(status: string, address: string): string | undefined {
  return status
    .split('\n')
    .map((line) => /^([UD][NLJM])\s+(\S+)/.exec(line))
    .find((found) => found?.[2] === address)?.[1]
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
