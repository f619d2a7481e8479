import type { Host } from '#platform/inventory/inventory.ts'
import type { ScheduleJob } from '#platform/schedules/schedule.ts'
import type { Fleet } from '#scripts/fleet/fleet.ts'
import { said, type Seen, until } from './step.ts'

/** Of a roll of all hosts, ms. */
const rollMs = 1_800_000

export interface Run {
  readonly due: string
  readonly state: string
  readonly note: string | null
}

/** When services were started, of those that the host has. */
const startedAt =
  'systemctl show --property=ActiveEnterTimestampMonotonic --value cinque-api cassandra cinque-healthcheck'

/** Has an operator do a job once: by a schedule that is due each minute until one time of it has ended. */
export async function bySchedule(
  fleet: Fleet,
  far: Host,
  { job, hosts = [] }: { readonly job: ScheduleJob; readonly hosts?: readonly Host[] },
): Promise<Run> {
  const began = Date.now()
  const path = 'schedules/bench'
  const on = hosts.map(({ name }) => name).join(' | ')
  const schedule = { job, cron: '* * * * *', on, overdue_after: 1 }
  await rest(fleet, far, 'PUT', path, schedule)
  let begun = false
  let last: Run | null = null as Run | null
  let why = 'nothing is begun'
  try {
    await until(
      async () => {
        try {
          ;({ last } = await rest<{ last: Run | null }>(fleet, far, 'GET', path))
          why = last?.note ?? why
          // Once is enough: the next time is not begun.
          if (!begun && last?.state === 'running') {
            await rest(fleet, far, 'PUT', path, { ...schedule, enabled: false })
            begun = true
          }
        } catch (error) {
          // The API that is asked is restarted, too.
          why = error instanceof Error ? error.message : String(error)
          return false
        }
        // A schedule of that name may have been here before.
        return last !== null && Date.parse(last.due) > began && last.state !== 'running'
      },
      () => `the operators do not end what is due: ${why}`,
      rollMs,
    )
  } finally {
    await rest(fleet, far, 'DELETE', path)
  }
  await fleet.serves()
  if (last === null) throw new Error(why)
  return last
}

/** Good when all services of these hosts were started anew. */
export async function restartBySchedule(
  fleet: Fleet,
  far: Host,
  hosts: readonly Host[],
): Promise<Omit<Seen, 'seconds'>> {
  const started = (): Promise<string[]> => Promise.all(hosts.map((host) => said(fleet, host, startedAt)))
  const before = await started()
  const { state, note } = await bySchedule(fleet, far, { job: 'restart', hosts })
  const after = await started()
  const old = hosts.filter((_, at) => before[at] === after[at]).map(({ name }) => name)
  return {
    what: `what was due was begun by an operator, and is ${state}: ${note}; services that were not started anew: ${old.join(', ') || 'none'}`,
    good: state === 'done' && old.length === 0,
  }
}

/** Asks the API of an app host as the administrator. */
export async function rest<T>(
  fleet: Fleet,
  host: Host,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const url = `http://${host.address}:${fleet.inventory.ports.http}/v1/${path}`
  const data =
    body === undefined ? '' : ` --header 'content-type: application/json' --data '${JSON.stringify(body)}'`
  const printed = await said(
    fleet,
    host,
    `curl -sS --fail-with-body --max-time 60 --request ${method} --header "authorization: Bearer $(cat /etc/cinque/secrets/admin-token)"${data} ${url}`,
  )
  return (printed === '' ? undefined : JSON.parse(printed)) as T
}
