/** Who a normative statement binds. */
export type Bound = 'server' | 'client' | 'both'

export interface Statement {
  /** as the specification numbers it, without brackets: `MQTT-3.1.0-1` */
  readonly id: string
  readonly bound: Bound
  /** in our own words */
  readonly gist: string
  /** of a statement about clients only: why a server test need not exist */
  readonly excused?: string
}

export interface Specification {
  readonly name: string
  readonly version: 4 | 5
  readonly statements: readonly Statement[]
}

export const byServer = (id: string, gist: string): Statement => ({ id, bound: 'server', gist })

export const byEither = (id: string, gist: string): Statement => ({ id, bound: 'both', gist })

export const byClient = (id: string, gist: string, excused: string): Statement => ({
  id,
  bound: 'client',
  gist,
  excused,
})
