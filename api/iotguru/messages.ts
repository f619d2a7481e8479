import type { RequestHandler } from 'express'
import type { ApiDeps } from '../deps.ts'
import { durable, gateLoad } from '../durable.ts'
import { takeIn } from '../resources/ingest.ts'
import { answer, nodeOfKey, param } from './wire.ts'

/** Packets of more than this, fixed header included, are dropped unseen by the Arduino library. */
const maxLibraryPacket = 128
/** Characters that a person is shown. */
const maxText = 1024

/** Publishes a text to the device, as `sub/{user}/{device}/{node}/{field}`. */
export function send(deps: ApiDeps, publish: NonNullable<ApiDeps['publish']>): RequestHandler {
  return async (request, response) => {
    const node = await nodeOfKey(deps, param(request, 'nodeKey'))
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

/** A text for people: stored as `{node}/freeText`, and told to live streams like any other value. */
export function freeText(deps: ApiDeps): RequestHandler {
  return async (request, response) => {
    const node = await nodeOfKey(deps, param(request, 'nodeKey'))
    if (node === undefined) return answer(response, 404, 'no node has this key')
    const text = param(request, 'message')
    if (text.length > maxText) return answer(response, 400, `the text is longer than ${maxText} characters`)
    gateLoad(deps, node.device.org)
    const payload = Buffer.from(JSON.stringify({ [`${node.id}/freeText`]: text }))
    takeIn(() => deps.platform.telemetry.ingestJson(node.device, payload, deps.clock.now()))
    await durable(deps, node.device.org)
    answer(response, 200, 'OK')
  }
}
