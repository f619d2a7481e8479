import { ApiError, type CinqueClient, createClient } from '#client/index.ts'
import { CliError } from '#scripts/output.ts'
import { type Context, ContextFile } from './contexts.ts'
import { version } from '#scripts/version.ts'
import { findTarget, type Target, type TargetOptions } from './target.ts'

/** Milliseconds before its end at which an access token is made new. */
const earlyMs = 30_000
/** What a session says of whoever holds it. */
export const agent = `cinque/${version}`
/** Longer than the longest wait of the API. */
const timeout = 90_000

/** A client of the platform that the options, the environment or the context name. */
export function connect(options: TargetOptions): CinqueClient {
  return clientOf(findTarget(options))
}

export function clientOf({ urls, token, organisation, context }: Target): CinqueClient {
  return createClient({
    urls,
    timeout,
    headers: { 'user-agent': agent },
    token: context === undefined ? token : () => freshToken(context, urls),
    ...(organisation === undefined ? {} : { organisation }),
  })
}

/** What a session answers when it begins, and at each refresh. */
interface SessionTokens {
  readonly session: string
  readonly access_token: string
  readonly expires_in: number
  readonly refresh_token: string
}

export function sessionOf(tokens: SessionTokens, email: string): NonNullable<Context['session']> {
  const { session: id, access_token: access, expires_in: seconds, refresh_token: refresh } = tokens
  return { email, id, access, expires_at: Date.now() + seconds * 1000, refresh }
}

/**
 * The access token of a context's session. A refresh token is good once: used by two processes it would end the
 * session, so they take turns.
 */
async function freshToken(name: string, urls: readonly string[]): Promise<string> {
  const file = new ContextFile()
  const known = file.find(name)?.session
  if (known !== undefined && isFresh(known)) return known.access
  return file.change(async ({ contexts }) => {
    const context = contexts[name]
    const session = context?.session
    if (session === undefined) throw loggedOut(name)
    if (isFresh(session)) return session.access
    try {
      const client = createClient({ urls })
      const tokens = await client.post('/v1/sessions/refresh', { body: { refresh_token: session.refresh } })
      context.session = sessionOf(tokens, session.email)
      return tokens.access_token
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) throw loggedOut(name, error)
      throw error
    }
  })
}

function isFresh({ expires_at: end }: { expires_at: number }): boolean {
  return end - earlyMs > Date.now()
}

function loggedOut(name: string, cause?: unknown): CliError {
  return new CliError(`the session of context "${name}" has ended`, {
    remedy: `Log in again: cinque login --context ${name}`,
    cause,
  })
}
