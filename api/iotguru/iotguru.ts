import express, { type RequestHandler, type Router } from 'express'
import type { ApiDeps } from '../deps.ts'
import { check, update } from './firmware.ts'
import { create, loadByNodeIds } from './measurement.ts'
import { freeText, send } from './messages.ts'

/**
 * The HTTP calls of the IoT Guru Arduino library (1.3.1), unchanged, and those that pages and sketches made by hand. The
 * library looks at the status only, and asks by HTTP/1.0; keys are in the URLs, so pages of any origin may call them.
 */
export function iotguru(deps: ApiDeps): Router {
  const router = express.Router({ caseSensitive: true, strict: true })
  router.use(['/firmware', '/measurement', '/mqtt', '/push'], anyOrigin)
  router.get('/firmware/check/:deviceKey', check(deps))
  router.get('/firmware/check/:deviceKey/:version', check(deps))
  router.get('/firmware/check/:deviceKey/:version/:localIp', check(deps))
  router.get('/firmware/update/:deviceKey/:version', update(deps))
  router.get('/measurement/create/:nodeKey/:field/:value', create(deps))
  router.get('/measurement/loadByNodeIds/:nodeIds/:fieldNames/:granulation/:count', loadByNodeIds(deps))
  if (deps.publish !== undefined) router.get('/mqtt/send/:nodeKey/:field/:message', send(deps, deps.publish))
  router.get('/push/freeText/:nodeKey/:message', freeText(deps))
  return router
}

/** Nothing here goes by cookies: who knows the key may call from wherever. */
const anyOrigin: RequestHandler = (request, response, next) => {
  response.set('access-control-allow-origin', '*')
  if (request.method !== 'OPTIONS') return next()
  response.set('access-control-allow-methods', 'GET')
  response.set('access-control-allow-headers', 'authorization, content-type')
  response.set('access-control-max-age', '7200')
  response.status(204).end()
}
