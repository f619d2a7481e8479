import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface VotePages {
  /** The secret part of the paths, 16 characters at least. */
  readonly secret: string
  /** Subjects that this checker says are down now. */
  readonly asserted: () => ReadonlySet<string>
  /** The answer to another checker's question. */
  readonly answer: (nonce: string) => string | undefined
}

/** Longer ones are of nobody we know. */
const maxPath = 512

/**
 * What a checker shows to whoever knows the secret: `/hc/<secret>/<subject>/down` answers 200 only while this checker
 * says so, `/hc/<secret>/votes` the votes, over TLS only. All else that begins with `/hc/` is the same empty 404, and
 * tells nobody whether the secret, the subject or the moment was wrong.
 *
 * @returns whether the request was one of these
 */
export function votePages(pages: VotePages): (request: IncomingMessage, response: ServerResponse) => boolean {
  const secret = digest(pages.secret)
  return (request, response) => {
    const { url = '', method } = request
    if (!url.startsWith('/hc/')) return false
    const body =
      method === 'GET' || method === 'HEAD' ? answerOf(url, isEncrypted(request), secret, pages) : undefined
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': body === undefined || body === '' ? 'text/plain' : 'application/json',
      'content-length': body === undefined ? 0 : Buffer.byteLength(body),
      'cache-control': 'no-store',
    })
    response.end(method === 'HEAD' ? undefined : body)
    return true
  }
}

/** Undefined: 404. */
function answerOf(url: string, encrypted: boolean, secret: Buffer, pages: VotePages): string | undefined {
  if (url.length > maxPath) return undefined
  const parsed = URL.parse(url, 'http://checker')
  if (parsed === null) return undefined
  const { pathname, searchParams } = parsed
  const [, , given = '', subject = '', page, ...more] = pathname.split('/')
  // Looked up before the secret is known to be right: both ways take the same time.
  const asserted = pages.asserted().has(subject)
  const known = timingSafeEqual(digest(given), secret)
  if (!known || more.length > 0) return undefined
  if (page === 'down') return asserted ? '' : undefined
  const nonce = searchParams.get('nonce')
  return encrypted && subject === 'votes' && page === undefined && nonce !== null
    ? pages.answer(nonce)
    : undefined
}

/** Of the same length for all, which the comparison needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isEncrypted({ socket }: IncomingMessage): boolean {
  return 'encrypted' in socket && socket.encrypted === true
}
