import type { EndReason } from '#platform/presence/change.ts'
import { ReasonCode } from './packets/reason-code.ts'

const failed: Readonly<Record<number, EndReason>> = {
  [ReasonCode.KeepAliveTimeout]: 'keep_alive_timeout',
  [ReasonCode.QuotaExceeded]: 'quota_exceeded',
  [ReasonCode.ReceiveMaximumExceeded]: 'quota_exceeded',
  [ReasonCode.PacketTooLarge]: 'quota_exceeded',
  [ReasonCode.NotAuthorized]: 'credentials_revoked',
}

const disconnected: Readonly<Record<number, EndReason>> = {
  [ReasonCode.SessionTakenOver]: 'taken_over',
  [ReasonCode.AdministrativeAction]: 'kicked',
  [ReasonCode.NotAuthorized]: 'credentials_revoked',
  [ReasonCode.ServerShuttingDown]: 'server_shutdown',
  [ReasonCode.UseAnotherServer]: 'server_shutdown',
  [ReasonCode.ServerBusy]: 'server_lost',
}

/** Why a connection that the broker had to end is over. */
export function failedBecause(reason: number): EndReason {
  return failed[reason] ?? 'protocol_error'
}

/** Why a connection that was ended in good order is over. */
export function disconnectedBecause(reason: number): EndReason {
  return disconnected[reason] ?? 'protocol_error'
}
