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
  | 'unauthenticated'
  | 'token_invalid'
  | 'email_taken'
  | 'setup_done'
  | 'user_not_found'
  | 'invitation_not_found'
  | 'api_key_not_found'
  | 'session_not_found'
  | 'overloaded'
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
