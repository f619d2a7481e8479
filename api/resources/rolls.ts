import { z } from 'zod'
import { actorOf } from '../actor.ts'
import { PlatformError } from '#platform/errors.ts'
import { phases, type Roll, rollKinds } from '#platform/rolls/roll.ts'
import { approved, beaten, halted, reported, skipped, taken, wished } from '#platform/rolls/transitions.ts'
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../paging.ts'
import { route, type Route } from '../route.ts'
import { roll, shownRoll } from './roll-shape.ts'

const hostName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be a name of the inventory')
const version = z.string().regex(/^[\w.+-]{1,64}$/, 'must be 1 to 64 of letters, digits, _, ., + and -')
const params = z.strictObject({ roll: z.uuid() })
const address = z
  .union([z.ipv4(), z.ipv6()])
  .describe('as the inventory has it: whoever carries the roll out must have the same')
const token = z.int().min(1).describe('which `take` gave')
const tag = 'rolls'
const access = 'platform'
const problems = ['roll_not_found', 'conflict'] as const

export const rolls: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/rolls',
    access,
    summary: 'List what is and was done to hosts one after the other, the newest first',
    tag,
    query: z.strictObject(pageQuery),
    status: 200,
    fields: true,
    answer: pageOf(roll),
    handle: async ({ deps, query: { limit, cursor } }) => {
      const before = cursor === undefined ? undefined : decodeCursor(cursor, z.uuid())
      const page = await deps.platform.rolls.list(limit, before)
      return { items: page.rolls.map(shownRoll), next: page.next === null ? null : encodeCursor(page.next) }
    },
  }),
  route({
    method: 'post',
    path: '/v1/rolls',
    access,
    summary: 'Plan a rolling restart, reinstallation or upgrade; one at a time is under way',
    tag,
    body: z.strictObject({
      kind: z.enum(rollKinds),
      version: version.optional().describe('of an upgrade'),
      previous: version.optional(),
      reason: z.string().min(1).max(500),
      approval: z.boolean().default(false).describe('a second person must approve it first'),
      hosts: z
        .array(z.strictObject({ host: hostName, dc: hostName, address: address.optional() }))
        .min(1)
        .max(1000)
        .describe('in the order in which they are done'),
    }),
    status: 201,
    answer: roll,
    problems: ['conflict'],
    handle: async ({ deps, caller, body }) =>
      shownRoll(await deps.platform.rolls.create({ ...body, actor: actorOf(caller) })),
  }),
  route({
    method: 'get',
    path: '/v1/rolls/{roll}',
    access,
    summary: 'Read how far it is',
    tag,
    params,
    status: 200,
    fields: true,
    answer: roll,
    problems: ['roll_not_found'],
    handle: async ({ deps, params: { roll: id } }) => {
      const one = await deps.platform.rolls.get(id)
      if (one === undefined) throw new PlatformError('roll_not_found', `no roll "${id}"`)
      return shownRoll(one)
    },
  }),
  word('approve', 'Approve it, as another person than the one who planned it', (one, by) =>
    approved(one, by),
  ),
  word('pause', 'Have it stop before the next host', (one, by, now) => wished(one, 'pause', by, now)),
  word('resume', 'Let it go on', (one, by, now) => wished(one, 'go', by, now)),
  word('abort', 'End it before the next host', (one, by, now) => wished(one, 'abort', by, now)),
  change('skip', {
    summary: 'Leave out a host that has not begun',
    body: z.strictObject({ host: hostName }),
    transition: (one, { host }, by) => skipped(one, host, by),
  }),
  change('take', {
    summary: 'Carry it out from now on; the token of the answer goes with every report',
    body: z.strictObject({ runner: z.string().min(1).max(200) }),
    transition: (one, { runner }, _, now) => taken(one, runner, now),
  }),
  change('report', {
    summary: 'Tell what has begun or ended at a host, before it is done',
    body: z.strictObject({
      token,
      host: hostName,
      phase: z.enum(phases),
      state: z.enum(['running', 'done', 'failed']),
      note: z.string().max(500).optional(),
    }),
    transition: (one, { token: mine, ...report }, _, now) => reported(one, mine, report, now),
  }),
  change('beat', {
    summary: 'Tell that its runner is alive',
    body: z.strictObject({ token }),
    unrecorded: true,
    transition: (one, body, _, now) => beaten(one, body.token, now),
  }),
  change('halt', {
    summary: 'Stop carrying it out, as was wished',
    body: z.strictObject({ token }),
    transition: (one, body, _, now) => halted(one, body.token, now),
  }),
]

/** What a person says about it. */
function word(
  verb: string,
  summary: string,
  transition: (one: Roll, by: string, now: number) => Roll,
): Route {
  return route({
    ...common(verb),
    summary,
    handle: async ({ deps, caller, params: { roll: id } }) =>
      shownRoll(await deps.platform.rolls.change(id, (one, now) => transition(one, actorOf(caller), now))),
  })
}

/** What its runner tells, for the most part. */
function change<B extends z.ZodType>(
  verb: string,
  {
    transition,
    ...spec
  }: {
    summary: string
    body: B
    unrecorded?: true
    transition: (one: Roll, said: z.output<B>, by: string, now: number) => Roll
  },
): Route {
  return route({
    ...common(verb),
    ...spec,
    handle: async ({ deps, caller, params: { roll: id }, body: said }) =>
      shownRoll(
        await deps.platform.rolls.change(id, (one, now) => transition(one, said, actorOf(caller), now)),
      ),
  })
}

function common(verb: string) {
  return {
    method: 'post',
    path: `/v1/rolls/{roll}/${verb}`,
    operationId: `${verb}Roll`,
    access,
    tag,
    params,
    status: 200,
    answer: roll,
    problems,
  } as const
}
