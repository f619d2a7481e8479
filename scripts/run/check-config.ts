import type { BrokerConfig } from '#broker/config.ts'
import { parseListenUrl } from '#broker/listeners/address.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import { CliError, errorLine } from '#scripts/output.ts'

/** Checks what the schema can't, before anything is opened. CliError with exit code 2. */
export function checkConfig({ listen, auth, organisation }: BrokerConfig): ConfigAuthenticator {
  try {
    for (const url of listen) parseListenUrl(url)
    return new ConfigAuthenticator({ ...auth, organisation })
  } catch (error) {
    throw new CliError(errorLine(error), { exitCode: 2, cause: error })
  }
}
