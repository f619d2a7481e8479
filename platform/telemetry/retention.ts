import { PlatformError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { putIf } from '../registry/conditional.ts'
import type { Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import type { Timer, Timers } from '../timers.ts'
import { type ClassName, classNames, classOf, defaultClass, type RetentionClass } from './classes.ts'
import { retention } from './tables.ts'

/** The first rule of an organisation that fits a device and a key says how long values live that come from now on. */
export interface RetentionRule {
  /** Of devices with this profile; null: of all. */
  readonly profile: string | null
  /** A key, or the beginning of keys followed by `*`; null: all. */
  readonly keys: string | null
  /** How long each value is kept. */
  readonly values: ClassName
  /** Whether aggregates are kept, which live longer than most values. */
  readonly aggregates: boolean
}

export interface RetentionDocument {
  readonly rules: readonly RetentionRule[]
  /** Counts changes; 0: there never was one. */
  readonly version: number
}

/** What holds for a key, and which rule says so (its place in the list; null: none, the default). */
export interface Resolved {
  readonly class: RetentionClass
  readonly aggregates: boolean
  readonly rule: number | null
}

export const maxRules = 50
/** A change that another process made is known within this time. */
const refreshMs = 30_000
const pageRows = 1000

const byDefault: Resolved = { class: defaultClass, aggregates: true, rule: null }

interface Page {
  readonly rows: readonly RowOf<typeof retention>[]
  readonly cursor: string | null
}

/** The rules of an organisation, compiled. */
export class RuleSet {
  readonly document: RetentionDocument

  constructor(document: RetentionDocument) {
    this.document = document
  }

  resolve(profile: string | null, key: string): Resolved {
    const { rules } = this.document
    const place = rules.findIndex((rule) => (rule.profile ?? profile) === profile && fits(rule.keys, key))
    if (place === -1) return byDefault
    const { values, aggregates } = rules[place]
    return { class: classOf(values), aggregates, rule: place }
  }
}

const noRules = new RuleSet({ rules: [], version: 0 })

/**
 * How long values are kept. All rules are in memory, because every value that is stored asks for them: read at the
 * start and every 30 s.
 */
export class Retentions {
  readonly #store: Store
  readonly #known = new Map<string, RuleSet>()
  #timer: Timer | null = null

  constructor(store: Store) {
    this.#store = store
  }

  /** Always the same object until the rules change. */
  of(org: string): RuleSet {
    return this.#known.get(org) ?? noRules
  }

  /** As stored now. Rejects with StoreError. */
  async read(org: string): Promise<RetentionDocument> {
    const row = await this.#store.get(retention, { org })
    const document = row === undefined ? noRules.document : documentOf(row)
    this.#take(org, document)
    return document
  }

  /**
   * Replaces the rules that have this version; values stored before stay as long as was promised then. Durable when it
   * resolves. PlatformError `conflict`: there is another version by now; `invalid_field`.
   */
  async replace(org: string, rules: readonly RetentionRule[], version: number): Promise<RetentionDocument> {
    check(rules)
    const document = { rules, version: version + 1 }
    const row = { org, rules: JSON.stringify(rules), version: version + 1 }
    if (!(await putIf(this.#store, retention, row, 'version', version === 0 ? undefined : version)))
      throw new PlatformError(
        'conflict',
        'somebody else has changed the rules meanwhile; read them and try again',
      )
    this.#take(org, document)
    return document
  }

  /** Reads all rules. Rejects with StoreError. */
  async refresh(): Promise<void> {
    let cursor: string | null = null
    do {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page: Page = await this.#store.scan(retention, cursor, pageRows)
      for (const row of page.rows) this.#take(row.org, documentOf(row))
      cursor = page.cursor
    } while (cursor !== null)
  }

  /** Goes on reading them until `close`. */
  start(timers: Timers, log: Logger): void {
    this.#timer ??= timers.every(refreshMs, () => {
      this.refresh().catch((error: unknown) =>
        log.warn(
          { event: 'retention.unread', err: error },
          'rules of retention stay as they were read before',
        ),
      )
    })
  }

  close(): void {
    this.#timer?.cancel()
  }

  #take(org: string, document: RetentionDocument): void {
    if (this.of(org).document.version < document.version) this.#known.set(org, new RuleSet(document))
  }
}

function fits(pattern: string | null, key: string): boolean {
  if (pattern === null) return true
  return pattern.endsWith('*') ? key.startsWith(pattern.slice(0, -1)) : key === pattern
}

function documentOf({ rules, version }: { rules?: string | undefined; version?: number | undefined }) {
  return { rules: JSON.parse(rules ?? '[]') as RetentionRule[], version: version ?? 0 }
}

function check(rules: readonly RetentionRule[]): void {
  if (rules.length > maxRules)
    throw new PlatformError('invalid_field', `must be at most ${maxRules}`, 'rules')
  const bad = rules.findIndex(({ values }) => !classNames.includes(values))
  if (bad !== -1)
    throw new PlatformError(
      'invalid_field',
      `must be one of ${classNames.join(', ')}`,
      `rules[${bad}].values`,
    )
}
