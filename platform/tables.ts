import * as audit from './audit/tables.ts'
import * as commands from './commands/tables.ts'
import * as idempotency from './idempotency/tables.ts'
import * as identity from './identity/tables.ts'
import * as limits from './limits/tables.ts'
import * as maintenance from './maintenance/tables.ts'
import * as outbox from './outbox/tables.ts'
import * as overrides from './overrides/tables.ts'
import * as presence from './presence/tables.ts'
import * as registry from './registry/tables.ts'
import * as rolls from './rolls/tables.ts'
import * as schedules from './schedules/tables.ts'
import * as broker from './store/tables.ts'
import type { AnyTable } from './store/table.ts'
import * as telemetry from './telemetry/tables.ts'
import * as twins from './twins/tables.ts'

const modules: readonly object[] = [
  broker,
  registry,
  identity,
  audit,
  telemetry,
  commands,
  twins,
  idempotency,
  limits,
  maintenance,
  presence,
  rolls,
  schedules,
  outbox,
  overrides,
]

/** Every table that is declared: what a schema must have, and what a backup holds. */
export const everyTable: readonly AnyTable[] = modules
  .flatMap((module): unknown[] => Object.values(module))
  .filter(isTable)

function isTable(value: unknown): value is AnyTable {
  return typeof value === 'object' && value !== null && 'partition' in value
}
