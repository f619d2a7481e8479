import { z } from 'zod'
import { covers, overlaps } from './filter-algebra.ts'
import type { Access, Acl, Decision } from './principal.ts'

/** One line of an access list. First match wins, no match denies. */
export const aclRule = z.strictObject({
  effect: z.enum(['allow', 'deny']),
  access: z.enum(['publish', 'subscribe', 'all']),
  filter: z
    .string()
    .describe(
      "topic filter; filled in per client: %u user name, %c client id, ${device} device id, ${name} device name, ${user} the organisation's IoT Guru user id",
    ),
})
export type AclRule = Readonly<z.output<typeof aclRule>>

/** What the placeholders of a client are; absent or empty: it has none. */
export interface AclSubject {
  readonly username: string
  readonly clientId: string
  readonly device?: string | undefined
  readonly name?: string | undefined
  readonly user?: string | undefined
}

const placeholder = /%u|%c|\$\{(?:device|name|user)\}/g
const maxRules = 256

/** Rules parsed once, for all the clients that they hold for. */
export class AclRules {
  readonly rules: readonly AclRule[]
  readonly #parsed: readonly ParsedRule[]
  /** Rules without placeholders are the same for everybody: one list for all clients. */
  readonly #shared: Acl | null

  /** Throws a RangeError that names the rule if a filter is not a topic filter (MQTT 5, 4.7.1) or there are too many. */
  constructor(rules: readonly AclRule[]) {
    if (rules.length > maxRules)
      throw new RangeError(`acl: ${rules.length} rules, at most ${maxRules} are allowed`)
    this.rules = rules
    this.#parsed = rules.map(parse)
    const alike = !this.#parsed.some(({ filled }) => filled)
    this.#shared = alike ? new ClientAcl(this.#parsed, { username: '', clientId: '' }) : null
  }

  /** The access list of one client. Placeholders are filled in when it is first asked. */
  for(subject: AclSubject): Acl {
    return this.#shared ?? new ClientAcl(this.#parsed, subject)
  }
}

interface ParsedRule {
  readonly rule: AclRule
  readonly number: number
  readonly levels: readonly string[]
  readonly filled: boolean
}

interface ClientRule {
  readonly rule: AclRule
  readonly number: number
  readonly levels: readonly string[]
}

class ClientAcl implements Acl {
  #rules: ClientRule[] | null = null
  readonly #parsed: readonly ParsedRule[]
  readonly #subject: AclSubject

  constructor(parsed: readonly ParsedRule[], subject: AclSubject) {
    this.#parsed = parsed
    this.#subject = subject
  }

  check(access: Access, topicOrFilter: string): boolean {
    return this.#decide(access, topicOrFilter)?.rule.effect === 'allow'
  }

  explain(access: Access, topicOrFilter: string): Decision {
    const found = this.#decide(access, topicOrFilter)
    if (found === undefined) {
      return { allowed: false, reason: `no rule allows to ${access} ${inWords(access, topicOrFilter)}` }
    }
    const { rule, number } = found
    return {
      allowed: rule.effect === 'allow',
      reason: `rule ${number}: ${rule.effect} ${rule.access} ${rule.filter} (here ${found.levels.join('/')})`,
    }
  }

  /** The first rule that decides: an allow rule must cover the whole filter, a deny rule need only touch it. */
  #decide(access: Access, topicOrFilter: string): ClientRule | undefined {
    this.#rules ??= this.#parsed.flatMap((rule) => fill(rule, this.#subject))
    const levels = (access === 'subscribe' ? withoutShare(topicOrFilter) : topicOrFilter).split('/')
    return this.#rules.find(({ rule, levels: own }) => {
      if (rule.access !== 'all' && rule.access !== access) return false
      return rule.effect === 'allow' ? covers(own, levels) : overlaps(own, levels)
    })
  }
}

function parse(rule: AclRule, index: number): ParsedRule {
  const where = `acl[${index}].filter`
  const { filter } = rule
  if (filter === '' || filter.length > 65_535)
    throw new RangeError(`${where}: must have 1 to 65535 characters`)
  const levels = filter.split('/')
  for (const [at, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || at !== levels.length - 1)) {
      throw new RangeError(`${where}: # must be the whole last level in "${filter}"`)
    }
    if (level.includes('+') && level !== '+')
      throw new RangeError(`${where}: + must be a whole level in "${filter}"`)
  }
  return { rule, number: index + 1, levels, filled: filter.search(placeholder) >= 0 }
}

/**
 * Fills in the placeholders. A value that is absent or would change the filter's shape (client id "#", "a/b", or one
 * that makes the first level begin with $) makes an allow rule void, and a deny rule as wide as it can have been
 * meant: from that level on everything. Neither can give a client more than a harmless value would.
 */
function fill(parsed: ParsedRule, subject: AclSubject): ClientRule[] {
  const { rule, number } = parsed
  if (!parsed.filled) return [parsed]
  const levels: string[] = []
  for (const [at, level] of parsed.levels.entries()) {
    let usable = true
    const text = level.replace(placeholder, (name) => {
      const value = valueOf(subject, name)
      if (value === undefined || value === '' || /[+#/\0]/.test(value)) usable = false
      return value ?? ''
    })
    if (at === 0 && text.startsWith('$') && !/^\$[^{]/.test(level)) usable = false
    if (!usable) return rule.effect === 'allow' ? [] : [{ rule, number, levels: [...levels, '#'] }]
    levels.push(text)
  }
  return [{ rule, number, levels }]
}

function valueOf(subject: AclSubject, name: string): string | undefined {
  switch (name) {
    case '%u':
      return subject.username
    case '%c':
      return subject.clientId
    case '${device}':
      return subject.device
    case '${name}':
      return subject.name
    default:
      return subject.user
  }
}

/** `$share/group/filter` is checked as `filter` (MQTT 5, 4.8.2). */
function withoutShare(filter: string): string {
  if (!filter.startsWith('$share/')) return filter
  return filter.slice(filter.indexOf('/', '$share/'.length) + 1)
}

function inWords(access: Access, topicOrFilter: string): string {
  return access === 'publish' ? `to ${topicOrFilter}` : `to all of ${topicOrFilter}`
}
