import { Admission } from './admission.ts'
import express, { type Express, type RequestHandler } from 'express'
import { cors } from './cors.ts'
import type { ApiDeps } from './deps.ts'
import { type ApiDocument, apiDocument } from './document.ts'
import { errorHandler, notFound } from './error-handler.ts'
import { jsonBody } from './json-body.ts'
import { iotguru } from './iotguru/iotguru.ts'
import {
  compareTags,
  compressed,
  jsonOnly,
  observe,
  originForm,
  requestId,
  securityHeaders,
} from './middleware.ts'
import { administrators } from './resources/administrators.ts'
import { apiKeys } from './resources/api-keys.ts'
import { auditRoutes } from './resources/audit.ts'
import { clients } from './resources/clients.ts'
import { commandBatches } from './resources/command-batches.ts'
import { commands } from './resources/commands.ts'
import { authorities } from './resources/authorities.ts'
import { credentials } from './resources/credentials.ts'
import { devices } from './resources/devices.ts'
import { errors } from './resources/errors.ts'
import { groups } from './resources/groups.ts'
import { healthRoutes } from './resources/health.ts'
import { imports } from './resources/imports.ts'
import { ingest } from './resources/ingest.ts'
import { invitations } from './resources/invitations.ts'
import { latestRoutes } from './resources/latest.ts'
import { live } from './resources/live.ts'
import { checkerPlans, maintenance, silences } from './resources/maintenance.ts'
import { meRoutes } from './resources/me.ts'
import { nodes } from './resources/nodes.ts'
import { openapi } from './resources/openapi.ts'
import { organisations } from './resources/organisations.ts'
import { overrides } from './resources/overrides.ts'
import { passwordResets } from './resources/password-resets.ts'
import { retentionRoutes } from './resources/retention.ts'
import { rollEvents } from './resources/roll-events.ts'
import { rolls } from './resources/rolls.ts'
import { schedules } from './resources/schedules.ts'
import { sessions } from './resources/sessions.ts'
import { setup } from './resources/setup.ts'
import { tasks } from './resources/tasks.ts'
import { telemetryExport } from './resources/telemetry-export.ts'
import { telemetryImport } from './resources/telemetry-import.ts'
import { presence } from './resources/presence.ts'
import { provisioning } from './resources/provisioning.ts'
import { telemetry } from './resources/telemetry.ts'
import { usageRoutes } from './resources/usage.ts'
import { users } from './resources/users.ts'
import { twins } from './resources/twins.ts'
import type { Route } from './route.ts'
import { RouteTable } from './route-table.ts'

/** Bodies are held in memory, so they are small: the same as the broker's largest packet, and 64 KiB for the rest. */
const maxIngestBytes = 262_144
const maxJsonBytes = 65_536

const noRates = { organisation_rate: 0, caller_rate: 0, device_rate: 0, address_rate: 0, failure_rate: 0 }

const allResources: readonly Route[] = [
  ...organisations,
  ...users,
  ...invitations,
  ...apiKeys,
  ...rolls,
  ...rollEvents,
  ...schedules,
  ...sessions,
  ...passwordResets,
  ...meRoutes,
  ...setup,
  ...administrators,
  ...checkerPlans,
  ...maintenance,
  ...silences,
  ...auditRoutes,
  ...overrides,
  ...devices,
  ...authorities,
  ...credentials,
  ...provisioning,
  ...imports,
  ...tasks,
  ...groups,
  ...nodes,
  ...clients,
  ...commands,
  ...commandBatches,
  ...twins,
  ...latestRoutes,
  ...telemetry,
  ...telemetryExport,
  ...telemetryImport,
  ...retentionRoutes,
  ...ingest,
  ...presence,
  ...usageRoutes,
  ...live,
  ...errors,
  ...healthRoutes,
]

/**
 * The REST API and the IoT Guru URLs as an Express application. `resources`: tests bring their own. RangeError: the
 * admin token is too short.
 */
export function createApi(given: ApiDeps, resources = allResources): Express {
  const deps = {
    ...given,
    admission: new Admission({ ...given, usage: given.platform.usage }, given.rates ?? noRates),
  }
  if (deps.adminToken.length < 16) throw new RangeError('adminToken: must have at least 16 characters')
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  app.set('trust proxy', [...(deps.trustedProxies ?? [])])
  app.use(
    originForm,
    requestId,
    compareTags,
    observe(deps),
    securityHeaders,
    cors(deps.corsOrigins ?? []),
    compressed,
  )
  const routes = described(resources, deps.version)
  const table = new RouteTable()
  for (const route of routes)
    table.add(route.method, route.path, [route.caller(deps), ...bodyParsers(route), route.handler(deps)])
  app.use(table.handle)
  app.use(iotguru(deps))
  app.use(notFound)
  app.use(errorHandler(deps))
  return app
}

/** With the routes that describe them. */
function described(resources: readonly Route[], version: string): readonly Route[] {
  return [...resources, ...openapi(resources, version)]
}

/** The OpenAPI document of this version, as it is served. */
export function openApiDocument(version: string): ApiDocument {
  return apiDocument(described(allResources, version), version)
}

function bodyParsers({ bodyAs }: Route): RequestHandler[] {
  if (bodyAs === 'bytes') return [express.raw({ type: () => true, limit: maxIngestBytes })]
  if (bodyAs === 'none') return []
  return [jsonOnly, express.raw({ type: () => true, limit: maxJsonBytes }), jsonBody]
}
