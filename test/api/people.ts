import { expect } from 'chai'
import type { Role } from '#platform/identity/roles.ts'
import type { Answer, TestApi } from './fixture.ts'

export const password = 'correct horse battery'

/** Somebody who has signed in. */
export interface Person {
  readonly id: string
  readonly email: string
  readonly session: string
  /** Access token. */
  readonly access: string
  readonly refresh: string
  /** A request as this person. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>
}

/** Makes an account that is a member, as if it had been invited. */
export async function member(api: TestApi, email: string, role: Role, org = 'default'): Promise<string> {
  const { identity } = api.platform
  const user = await identity.users.create({ email, password })
  await identity.memberships.put(org, user.id, { role, groups: null })
  return user.id
}

export async function signIn(api: TestApi, email: string, secret = password): Promise<Person> {
  const { status, body, text } = await api.ask('POST', '/v1/sessions', {
    authorization: null,
    body: { email, password: secret },
  })
  expect(status, text).to.equal(201)
  const authorization = `Bearer ${body.access_token}`
  const me = await api.ask('GET', '/v1/me', { authorization })
  return {
    id: me.body.id,
    email,
    session: body.session,
    access: body.access_token,
    refresh: body.refresh_token,
    ask: (method, path, content) =>
      api.ask(method, path, { authorization, ...(content === undefined ? {} : { body: content }) }),
  }
}

/** The token of the newest link of this kind that was logged, because there is no mail server. */
export function linkToken(api: TestApi, kind: 'invitation' | 'reset'): string {
  const lines = api.platform.lines.map(
    (line) => JSON.parse(line) as { event?: string; kind?: string; link?: string },
  )
  const link = lines.findLast((line) => line.event === 'identity.link' && line.kind === kind)?.link
  expect(link, 'no link was sent').to.be.a('string')
  return new URLSearchParams((link ?? '').split('#')[1]).get(kind) ?? ''
}
