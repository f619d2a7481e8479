/** What a service refuses; the edge (REST, MQTT) turns the code into its own words. Codes never change their meaning. */
export type PlatformErrorCode =
  | 'invalid_field'
  | 'organisation_not_found'
  | 'organisation_exists'
  | 'organisation_not_empty'
  | 'user_taken'
  | 'device_not_found'
  | 'name_taken'
  | 'id_taken'
  | 'key_taken'
  | 'node_not_found'
  | 'node_exists'
  | 'limit_reached'
  | 'conflict'
  | 'outcome_unknown'

export class PlatformError extends Error {
  readonly code: PlatformErrorCode
  /** The input that is wrong, where it is one. */
  readonly field: string | undefined

  constructor(code: PlatformErrorCode, message: string, field?: string) {
    super(message)
    this.name = 'PlatformError'
    this.code = code
    this.field = field
  }
}
