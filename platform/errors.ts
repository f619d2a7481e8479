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
  | 'group_not_found'
  | 'group_exists'
  | 'group_not_empty'
  | 'task_not_found'
  | 'task_finished'
  | 'roll_not_found'
  | 'schedule_not_found'
  | 'credential_not_found'
  | 'authority_not_found'
  | 'authority_exists'
  | 'certificate_not_found'
  | 'invalid_certificate'
  | 'provisioning_key_not_found'
  | 'provisioning_refused'
  | 'already_provisioned'
  | 'claim_not_found'
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
  | 'command_not_found'
  | 'batch_not_found'
  | 'command_exists'
  | 'command_ended'
  | 'twin_not_found'
  | 'plan_not_found'
  | 'override_not_found'
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
