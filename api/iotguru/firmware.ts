import { hash } from 'node:crypto'
import type { RequestHandler } from 'express'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { ApiDeps } from '../deps.ts'
import { gateLoad } from '../durable.ts'
import { answer, optionalParam, param } from './wire.ts'

/** What a device should run. */
interface Firmware {
  readonly version: string
  /** The whole image, as it is flashed. */
  image(): Promise<Uint8Array>
}

/** Where devices' firmware comes from; undefined: the device may keep what it has. */
export type FirmwareSource = (device: DeviceRef) => Promise<Firmware | undefined>

/**
 * A sign of life. Without a version 200; with one 200 only if the device should run another one, because it restarts then
 * and updates itself: else it would restart for ever.
 */
export function check(deps: ApiDeps): RequestHandler {
  return async (request, response) => {
    const owner = await deps.platform.registry.findKey(param(request, 'deviceKey'))
    if (owner?.kind !== 'device') return answer(response, 404, 'no device has this key')
    gateLoad(deps, owner.device.org)
    const version = optionalParam(request, 'version')
    deps.platform.checkIns.note(owner.device, deps.clock.now(), version)
    if (version === undefined) return answer(response, 200, 'OK')
    const wanted = await deps.firmware?.(owner.device)
    const due = wanted !== undefined && wanted.version !== version
    answer(response, due ? 200 : 204, due ? 'OK' : '')
  }
}

/**
 * The image, if another version is due; else 304, no update. An ESP32 wants these header names in just this spelling, the
 * type to the letter, no chunks, and head and body at once.
 */
export function update(deps: ApiDeps): RequestHandler {
  return async (request, response) => {
    const owner = await deps.platform.registry.findKey(param(request, 'deviceKey'))
    if (owner?.kind !== 'device') return answer(response, 404, 'no device has this key')
    const version = param(request, 'version')
    gateLoad(deps, owner.device.org)
    deps.platform.checkIns.note(owner.device, deps.clock.now(), version)
    const wanted = await deps.firmware?.(owner.device)
    if (wanted === undefined || wanted.version === version) return answer(response, 304, '')
    const image = await wanted.image()
    response.writeHead(200, {
      'Content-Length': image.length,
      'Content-Type': 'application/octet-stream; charset=UTF-8',
      'x-MD5': hash('md5', image),
    })
    response.end(image)
  }
}
