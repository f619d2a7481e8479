import express, { type Request, type RequestHandler, type Response, type Router } from 'express'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { ApiDeps } from './deps.ts'
import { durable, gateLoad } from './durable.ts'
import { takeIn } from './resources/ingest.ts'

/** Packets of more than this, fixed header included, are dropped unseen by the Arduino library. */
const maxLibraryPacket = 128

/**
 * The HTTP calls of the IoT Guru Arduino library (1.3.1), unchanged. It looks at the status only, and asks by
 * HTTP/1.0; keys are in the URLs.
 *
 * - `check(version)` must not get 200 unless an update is due: the device would restart for ever. There are no
 *   updates yet, so it gets 204, and the update itself 304 (no update).
 */
export function iotguru(deps: ApiDeps): Router {
  const router = express.Router({ caseSensitive: true, strict: true })
  router.get('/firmware/check/:deviceKey', check(deps, 200))
  router.get('/firmware/check/:deviceKey/:version', check(deps, 204))
  router.get('/firmware/check/:deviceKey/:version/:localIp', check(deps, 204))
  router.get('/firmware/update/:deviceKey/:version', check(deps, 304))
  router.get('/measurement/create/:nodeKey/:field/:value', store(deps))
  if (deps.publish !== undefined) router.get('/mqtt/send/:nodeKey/:field/:message', send(deps, deps.publish))
  return router
}

/** A sign of life of the device whose key it is. */
function check(deps: ApiDeps, status: 200 | 204 | 304): RequestHandler {
  return async (request, response) => {
    const owner = await deps.platform.registry.findKey(param(request, 'deviceKey'))
    if (owner?.kind !== 'device') return answer(response, 404, 'no device has this key')
    gateLoad(deps, owner.device.org)
    deps.platform.checkIns.note(owner.device, deps.clock.now(), optionalParam(request, 'version'))
    answer(response, status, status === 200 ? 'OK' : '')
  }
}

/** Stores one value of a node's field as `{node}/{field}`; 200 when it is durable. */
function store(deps: ApiDeps): RequestHandler {
  return async (request, response) => {
    const node = await nodeOf(deps, request)
    if (node === undefined) return answer(response, 404, 'no node has this key')
    gateLoad(deps, node.device.org)
    const key = `${node.id}/${param(request, 'field')}`
    const value = Buffer.from(param(request, 'value'))
    takeIn(() => deps.platform.telemetry.ingestDecimal(node.device, key, value, deps.clock.now()))
    await durable(deps, node.device.org)
    answer(response, 200, 'OK')
  }
}

/** Publishes a text to the device, as `sub/{user}/{device}/{node}/{field}`. */
function send(deps: ApiDeps, publish: NonNullable<ApiDeps['publish']>): RequestHandler {
  return async (request, response) => {
    const node = await nodeOf(deps, request)
    if (node === undefined) return answer(response, 404, 'no node has this key')
    const field = param(request, 'field')
    const topic = `sub/${node.user}/${node.device.id}/${node.id}/${field}`
    const payload = Buffer.from(param(request, 'message'))
    if (/[+#/\0]/.test(field)) return answer(response, 400, 'the field must not hold +, # or /')
    // Fixed header 2 bytes, topic length 2, packet identifier 2.
    if (Buffer.byteLength(topic) + payload.length + 6 > maxLibraryPacket) {
      return answer(
        response,
        400,
        `the packet would be longer than the ${maxLibraryPacket} bytes a device takes`,
      )
    }
    await publish({ org: node.device.org, topic, payload })
    answer(response, 200, 'OK')
  }
}

async function nodeOf(
  { platform }: ApiDeps,
  request: Request,
): Promise<{ id: string; user: string; device: DeviceRef } | undefined> {
  const owner = await platform.registry.findKey(param(request, 'nodeKey'))
  if (owner?.kind !== 'node') return undefined
  return { id: owner.node, user: owner.organisation.user, device: owner.device }
}

function answer(response: Response, status: number, text: string): void {
  response.status(status)
  if (text === '') response.end()
  else response.type('text/plain').send(text)
}

function param(request: Request, name: string): string {
  return optionalParam(request, name) ?? ''
}

function optionalParam({ params }: Request, name: string): string | undefined {
  const value: unknown = params[name]
  return typeof value === 'string' ? value : undefined
}
