import mqtt, { type MqttClient } from 'mqtt'
import type { Cell, CellDc } from '#scripts/cell/cell.ts'
import { eventually } from '../patience.ts'

const CONVERGE_MS = 120_000
/** After which no more retained messages are expected on a connection that has got one. */
const QUIET_MS = 300

/** A plain client at a DC that is gone when its connection is. */
export async function visit(dc: CellDc, clientId: string): Promise<MqttClient> {
  const client = mqtt.connect(dc.mqtt, {
    clientId,
    protocolVersion: 5,
    reconnectPeriod: 0,
    connectTimeout: 15_000,
  })
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
    client.once('close', () => reject(new Error(`${clientId}: ${dc.name} does not let it in`)))
  })
  return client
}

/** What a new subscriber gets of retained messages there: `topic=payload`, sorted. */
export async function retainedAt(dc: CellDc, filter: string): Promise<string[]> {
  const client = await visit(dc, `reader-${dc.name}-${Math.random()}`)
  const found: string[] = []
  let last = performance.now()
  client.on('message', (topic, payload) => {
    found.push(`${topic}=${payload.toString()}`)
    last = performance.now()
  })
  await client.subscribeAsync(filter, { qos: 1 })
  await eventually(
    () => 'retained messages go on and on',
    () => performance.now() - last > QUIET_MS,
  )
  await client.endAsync(true)
  return found.toSorted()
}

/** A figure of the Prometheus page of a DC's first broker. */
async function metric(dc: CellDc, name: string): Promise<number> {
  const page = await (await fetch(dc.metrics[0], { signal: AbortSignal.timeout(5000) })).text()
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(page)?.[1] ?? NaN)
}

/** Resolves when all DCs serve the same: all processes in contact, the same sessions, the same retained messages. */
export async function converged(cell: Cell, filter: string, wanted?: readonly string[]): Promise<void> {
  let seen = 'nothing'
  const others = cell.parts.filter(({ options: { kind } }) => kind === 'broker' || kind === 'api').length - 1
  await eventually(
    () => seen,
    async () => {
      const all = await Promise.all(
        cell.dcs.map(async (dc) => ({
          members: await metric(dc, 'cinque_cell_members').catch(() => NaN),
          sessions: await metric(dc, 'cinque_cell_sessions').catch(() => NaN),
          retained: await retainedAt(dc, filter).catch(() => ['?']),
        })),
      )
      seen = cell.dcs.map((dc, at) => `${dc.name} ${JSON.stringify(all[at])}`).join('\n')
      const [first, ...rest] = all.map((one) => JSON.stringify(one))
      const right = wanted === undefined || JSON.stringify(all[0].retained) === JSON.stringify(wanted)
      return all[0].members === others && right && rest.every((one) => one === first)
    },
    CONVERGE_MS,
  )
}
