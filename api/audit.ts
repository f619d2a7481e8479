import type { Request, Response } from 'express'
import { type Actor, type Begun, type Deed, platformSpace, type Result } from '#platform/audit/audit.ts'
import { PlatformError } from '#platform/errors.ts'
import type { Access } from './access.ts'
import { type Caller, namedOrganisation } from './callers.ts'
import type { ApiDeps } from './deps.ts'
import { durable, gateLoad } from './durable.ts'
import { requestIdOf } from './middleware.ts'
import { Problem } from './problems.ts'

/** What a handler says about what it changed; without it the ids of the path and the answer are recorded. */
export type Changes = Pick<Result, 'targets' | 'before' | 'after'>

/** What is recorded of a request. */
export interface Asked {
  readonly deps: ApiDeps
  readonly caller: Caller | null
  readonly request: Request
  readonly response: Response
  readonly access: Access
  readonly method: string
  /** `createDevice`. */
  readonly operation: string
}

/** Organisations that a change of a person's own account is recorded for. */
const maxSpaces = 20

/**
 * Whether a change by this route is recorded. Not what devices send, which is data; public routes know better than we
 * whom it was, and record it by themselves (`note`).
 */
export function isAudited({ method, access }: Pick<Asked, 'method' | 'access'>): boolean {
  return method !== 'get' && access !== 'public' && access !== 'device-only'
}

/**
 * Does the work of a request, with an entry: that it begins is durable before, what came of it is before this
 * resolves. Problem `store_unavailable` if it was not begun.
 */
export async function audited<T>(
  asked: Asked,
  work: (report: (changes: Changes) => void) => Promise<T>,
): Promise<T> {
  const { deps, caller, request } = asked
  if (caller === null || !isAudited(asked)) return work(() => undefined)
  const spaces = await spacesOf(asked, caller)
  const waited = asked.access === 'user' ? nearby(deps, spaces) : spaces
  for (const org of waited) gateLoad(deps, org)
  const entries = spaces.map((org) => deps.platform.audit.begin(deedOf(asked, caller, org)))
  await begun(deps, waited)
  let changes: Changes = {}
  let answer: T
  try {
    answer = await work((reported) => {
      changes = { ...changes, ...reported }
    })
  } catch (error) {
    end(entries, { ...changes, ...failure(error) })
    // The answer is that it failed; whether that is on disk can't be told in another way.
    await allDurable(deps, waited).catch(() => undefined)
    throw error
  }
  end(entries, { outcome: 'done', ...ofAnswer(request, answer), ...changes })
  await allDurable(deps, waited)
  return answer
}

/** Records that a caller was refused at the door. Resolves when that is durable, or cannot be. */
export async function denied(asked: Asked, problem: Problem): Promise<void> {
  const { deps, caller } = asked
  if (caller === null || asked.method === 'get') return
  const spaces = await spacesOf(asked, caller)
  for (const org of spaces) deps.platform.audit.denied(deedOf(asked, caller, org), problem.code)
  // He is refused whatever the disk does.
  await allDurable(deps, nearby(deps, spaces)).catch(() => undefined)
}

/**
 * Records what somebody did on a public route. Resolves when it is durable; a refusal is not waited for: for how many
 * organisations it is recorded must not be seen from the time of the answer.
 */
export async function note(
  { deps, request, response }: Pick<Asked, 'deps' | 'request' | 'response'>,
  entry: {
    operation: string
    actor: Omit<Actor, 'address'>
    orgs: readonly string[]
    /** It is about the person alone: see `nearby`. */
    personal?: boolean
  } & Result,
): Promise<void> {
  const { operation, actor, orgs, personal, ...result } = entry
  const deed = { actor: { ...actor, address: request.ip }, operation, request: requestIdOf(response) }
  const spaces = orgs.length === 0 ? [platformSpace] : orgs.slice(0, maxSpaces)
  const { audit } = deps.platform
  for (const org of spaces) {
    if (result.outcome === 'denied') audit.denied({ ...deed, org }, result.problem ?? 'forbidden')
    else audit.note({ ...deed, org }, result)
  }
  if (result.outcome !== 'denied') await allDurable(deps, personal === true ? nearby(deps, spaces) : spaces)
}

/**
 * Those whose rows this datacenter can write by itself. What a person does with his own account does not wait for the
 * others: in a datacenter that is alone he must be able to sign in, and out. Their entries are written when they can be.
 */
function nearby({ platform }: ApiDeps, spaces: readonly string[]): readonly string[] {
  return spaces.filter((org) => platform.lanes.of(org) === platform.lanes.local)
}

async function allDurable(deps: ApiDeps, spaces: readonly string[]): Promise<void> {
  await Promise.all(spaces.map((org) => durable(deps, org)))
}

async function begun(deps: ApiDeps, spaces: readonly string[]): Promise<void> {
  try {
    await allDurable(deps, spaces)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    throw new Problem(
      'store_unavailable',
      'the store cannot be written now, so nothing was begun; try again',
      {
        retryAfter: 1,
        cause: error,
      },
    )
  }
}

function end(entries: readonly Begun[], result: Result): void {
  for (const entry of entries) entry.end(result)
}

function failure(error: unknown): Result {
  const known = error instanceof Problem || error instanceof PlatformError
  const problem = known ? error.code : 'internal'
  return { outcome: problem === 'forbidden' ? 'denied' : 'failed', problem }
}

function ofAnswer(request: Request, answer: unknown): Changes {
  const named = Object.entries(request.params).flatMap(([, value]) => value)
  const made =
    typeof answer === 'object' && answer !== null && 'id' in answer && typeof answer.id === 'string'
      ? [answer.id]
      : []
  return {
    targets: [...new Set([...named, ...made])],
    ...(answer === undefined ? {} : { after: answer }),
  }
}

function deedOf({ request, response, operation }: Asked, caller: Caller, org: string): Deed {
  const actor = { ...actorOf(caller), address: request.ip }
  const targets = Object.values(request.params).flat()
  return { org, actor, operation, request: requestIdOf(response), targets }
}

function actorOf(caller: Caller): Actor {
  switch (caller.kind) {
    case 'platform':
      return { kind: 'platform', id: 'platform', name: "the platform's token" }
    case 'organisation':
      return { kind: 'organisation', id: caller.organisation.id, name: "the organisation's token" }
    case 'key':
      return { kind: 'key', id: caller.key.id, name: caller.key.name }
    case 'device':
      return { kind: 'device', id: caller.device.id, name: caller.device.name }
    default:
      return { kind: 'user', id: caller.user.id, name: caller.user.email }
  }
}

/** Whose changes they are: an organisation's; for a person's own account those of his organisations. */
async function spacesOf({ deps, request, access }: Asked, caller: Caller): Promise<readonly string[]> {
  if (access === 'platform') return [platformSpace]
  if (access === 'user' && (caller.kind === 'user' || caller.kind === 'stranger')) {
    const memberships = await deps.platform.identity.memberships.of(caller.user.id)
    return memberships.length === 0 ? [platformSpace] : memberships.slice(0, maxSpaces).map(({ org }) => org)
  }
  if (caller.kind === 'stranger') return [platformSpace]
  if (caller.kind !== 'platform') return [caller.organisation.id]
  const named = namedOrganisation(request) ?? deps.platform.organisation
  return [(await deps.platform.registry.organisations.find(named))?.id ?? platformSpace]
}
