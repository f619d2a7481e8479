import type { Logger } from '#platform/log.ts'
import type { Platform } from '#platform/platform.ts'

/**
 * The link by which the first administrator is made, for half an hour, once, on any process of the cell. Null: there is
 * one, or the store cannot say so now; `url`: where this process listens.
 */
export async function setupLink({ identity }: Platform, url: string, log: Logger): Promise<string | null> {
  const { letters, setup } = identity
  if (letters.base === '') letters.base = url
  try {
    const token = await setup.issue()
    return token === null ? null : letters.link('setup', token)
  } catch (error) {
    log.warn(
      { event: 'identity.setup_unknown', err: error },
      'whether there is an administrator could not be read',
    )
    return null
  }
}
