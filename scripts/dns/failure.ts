import { ApplyError } from '#healthcheck/dns/route53/apply.ts'
import { ZoneError } from '#healthcheck/dns/route53/live.ts'
import { TreeError } from '#healthcheck/dns/route53/plan.ts'
import { Route53Error } from '#healthcheck/dns/route53/port.ts'
import { InventoryError } from '#platform/inventory/inventory.ts'
import { CliError } from '#scripts/output.ts'

const policy = 'docs/route53.md has the policy that is needed.'

/** Codes of refused credentials, of Route 53 and of the services that give credentials. */
const refusedCredentials = new Set([
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidSignatureException',
  'IncompleteSignature',
  'RequestExpired',
  'RequestTimeTooSkewed',
])
const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'NotAuthorizedException',
  'UnauthorizedOperation',
])

/** What went wrong with the zone, as one line and what to do about it. */
export function dnsFailure(error: unknown): unknown {
  if (error instanceof InventoryError || error instanceof TreeError)
    return new CliError(error.message, { exitCode: 2, cause: error })
  if (error instanceof ZoneError || error instanceof ApplyError)
    return new CliError(error.message, { remedy: error.remedy, cause: error })
  if (error instanceof Route53Error) {
    const [message, remedy] = explained(error)
    return new CliError(message, { remedy, details: { code: error.code }, cause: error })
  }
  return error
}

function explained({ code, message }: Route53Error): [message: string, remedy: string] {
  if (code === 'CredentialsMissing')
    return [
      `no AWS credentials: ${message}`,
      `Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE. ${policy}`,
    ]
  if (denied.has(code)) return [`AWS denies it: ${message}`, policy]
  if (refusedCredentials.has(code))
    return [`AWS refuses the credentials: ${message}`, 'Check them, and the clock of this machine.']
  if (code === 'Unreachable')
    return [
      `Route 53's API can't be reached: ${message}`,
      'Names are answered all the same, and failover goes on; only changes wait. Check the network, and --endpoint.',
    ]
  if (code === 'Throttling' || code === 'PriorRequestNotComplete')
    return [
      `Route 53 was busy for a minute: ${message}`,
      'Run it again: it goes on from where it is. Is another program changing the account all the time?',
    ]
  if (code === 'TooManyHealthChecks')
    return [message, 'Delete checks that nobody needs, or ask AWS for more: Service Quotas, Route 53.']
  return [`Route 53: ${code}: ${message}`, 'Nothing was destroyed. Run plan again to see what is there.']
}
