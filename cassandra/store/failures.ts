import cassandra from 'cassandra-driver'
import { StoreError } from '#platform/store/store.ts'
import { innerErrors } from './connection.ts'

const { responseErrorCodes } = cassandra.types
const refused = new Set<number>([responseErrorCodes.badCredentials, responseErrorCodes.unauthorized])
/** What the node does not understand or does not have: the table, a column. */
const unfit = new Set<number>([
  responseErrorCodes.invalid,
  responseErrorCodes.syntaxError,
  responseErrorCodes.configError,
])

/** An error of the driver as the port names it. What is no error of the store (a wrong type) is given back as it is. */
export function storeError(error: unknown, doing: string): unknown {
  if (error instanceof StoreError || error instanceof TypeError || error instanceof RangeError) return error
  const say = (code: StoreError['code'], message: string): StoreError =>
    new StoreError(code, `Cassandra cannot ${doing}: ${message}`, { cause: error })
  const text = innerErrors(error)
    .map(({ message }) => message)
    .join('; ')
  if (!(error instanceof cassandra.errors.ResponseError)) return say('unavailable', text)
  const code: number = error.code
  if (refused.has(code)) return say('readonly', text)
  if (unfit.has(code)) return say('version', `${text} (is the schema of this version? cinque schema apply)`)
  return say('unavailable', text)
}

/** Whether the cluster itself failed, not the request. */
export function isOutage(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'unavailable'
}
