import type { Request, RequestHandler, Response } from 'express'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { parseSteps } from '#platform/telemetry/steps.ts'
import { gateAccess } from '../access.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { durable, gateLoad } from '../durable.ts'
import { Problem } from '../problems.ts'
import { takeIn } from '../resources/ingest.ts'
import { knownCaller } from '../route.ts'
import { deviceOf } from '../scope.ts'
import { answer, nodeOfKey, param } from './wire.ts'

/** Stores one value of a node's field as `{node}/{field}`; 200 when it is durable. */
export function create(deps: ApiDeps): RequestHandler {
  return async (request, response) => {
    const node = await nodeOfKey(deps, param(request, 'nodeKey'))
    if (node === undefined) return answer(response, 404, 'no node has this key')
    gateLoad(deps, node.device.org)
    const key = `${node.id}/${param(request, 'field')}`
    const value = Buffer.from(param(request, 'value'))
    takeIn(() => deps.platform.telemetry.ingestDecimal(node.device, key, value, deps.clock.now()))
    await durable(deps, node.device.org)
    answer(response, 200, 'OK')
  }
}

const dayMs = 86_400_000

/** How far back a chart goes for each of its units, its steps, and how many units there may be at most. */
const granulations = new Map([
  ['DAY', { days: 1, step: '15m', most: 62 }],
  ['WEEK', { days: 7, step: '1h', most: 53 }],
  ['MONTH', { days: 31, step: '1d', most: 60 }],
  ['YEAR', { days: 366, step: '1d', most: 5 }],
])
const maxSeries = 20
const maxSteps = 10_000

/**
 * Charts of nodes' fields: for each of them [[time in ms, min, avg, max], ...] of the last `count` days, weeks, months or
 * years, without gaps. A node is named by its key; with an Authorization header also by its id: a device names its own
 * nodes, others those of the device in `?device=`.
 */
export function loadByNodeIds(deps: ApiDeps): RequestHandler {
  return async (request, response) => {
    const granulation = granulations.get(param(request, 'granulation').toUpperCase())
    const count = Number(param(request, 'count'))
    if (granulation === undefined) return answer(response, 400, 'give DAY, WEEK, MONTH or YEAR')
    if (!Number.isInteger(count) || count < 1 || count > granulation.most)
      return answer(response, 400, `give a number from 1 to ${granulation.most}`)
    const names = param(request, 'nodeIds').split(',')
    const fields = param(request, 'fieldNames').split(',')
    if (names.length * fields.length > maxSeries)
      return answer(response, 400, `at most ${maxSeries} nodes times fields`)
    let asking: Promise<Caller> | undefined
    const caller = (): Promise<Caller> => (asking ??= callerOf(deps, request, response))
    const nodes = await Promise.all(names.map((name) => nodeOf(deps, request, name, caller)))
    const missing = nodes.indexOf(undefined)
    if (missing !== -1) return answer(response, 404, `there is no node ${missing + 1} of the list`)
    const to = deps.clock.now()
    const span = {
      from: to - count * granulation.days * dayMs,
      to: to + 1,
      steps: parseSteps(granulation.step),
    }
    const series = nodes.flatMap((node) =>
      node === undefined ? [] : fields.map((field) => ({ ...node, field })),
    )
    response.json(await Promise.all(series.map((one) => chartOf(deps, one, span))))
  }
}

interface NodeId {
  readonly id: string
  readonly device: DeviceRef
}

async function chartOf(
  deps: ApiDeps,
  { id, device, field }: NodeId & { readonly field: string },
  span: { from: number; to: number; steps: ReturnType<typeof parseSteps> },
): Promise<object> {
  const { items } = await deps.platform.telemetry.aggregates(device, {
    ...span,
    keys: [`${id}/${field}`],
    wanted: ['min', 'avg', 'max', 'count'],
    order: 'asc',
    limit: maxSteps,
  })
  const full = items.filter(({ avg }) => avg !== null)
  return { nodeId: id, fieldName: field, data: full.map(({ ts, min, avg, max }) => [ts, min, avg, max]) }
}

/** What reading a device's values asks for everywhere. */
const guarded = { access: 'device', method: 'get', path: '/measurement/{device}', tag: 'telemetry' } as const

/** Who asks, within the same rates as everywhere. */
async function callerOf(deps: ApiDeps, request: Request, response: Response): Promise<Caller> {
  deps.admission?.address(request, response)
  const caller = await knownCaller(deps, request)
  deps.admission?.caller(caller, response, true)
  gateAccess(caller, guarded)
  return caller
}

/** A node by its key, or by its id if the caller may read its device. Problem `unauthenticated`. */
async function nodeOf(
  deps: ApiDeps,
  request: Request,
  name: string,
  callerOnce: () => Promise<Caller>,
): Promise<NodeId | undefined> {
  const found = await nodeOfKey(deps, name)
  if (found !== undefined) return found
  if (request.headers.authorization === undefined) return undefined
  const caller = await callerOnce()
  const named = caller.kind === 'device' ? 'me' : request.query.device
  if (typeof named !== 'string')
    throw new Problem('invalid_request', 'name the device of the nodes: ?device=')
  const device = await deviceOf(deps, caller, named)
  const nodes = await deps.platform.registry.nodes.list(device)
  return nodes.some(({ id }) => id === name) ? { id: name, device } : undefined
}
