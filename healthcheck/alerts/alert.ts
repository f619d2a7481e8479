/** `critical`: wake somebody. `warning`: look at it today. */
type Severity = 'critical' | 'warning'

/** Something that is not as it should be, as one checker sees it. */
export interface Condition {
  /** Of the catalogue. */
  readonly name: AlertName
  /** DC, host or checker that it is about; `service` where it is all. */
  readonly subject: string
  readonly severity: Severity
  /** One line for the people who run the platform. What probes have said is in it: not to be trusted as text. */
  readonly summary: string
  /** DC that the subject is in, or is. */
  readonly dc?: string
  /** It follows from another one that is there: nobody is told of it anew, but it is not over either. */
  readonly follows?: boolean
}

/** A condition that has held for as long as the catalogue says. */
export interface Alert extends Condition {
  /** The same on all checkers: `DcDown/dc03`. */
  readonly key: string
  /** Since when, milliseconds since 1970 by this checker's clock. */
  readonly since: number
}

/** What the checkers tell people of by themselves. A name never changes its meaning: silences and runbooks have it. */
export const catalogue = {
  ServiceDown: { holdSeconds: 0, what: 'no datacenter serves' },
  DcDown: { holdSeconds: 0, what: 'a datacenter is down' },
  HostDown: { holdSeconds: 0, what: 'a host is down, others of its datacenter serve' },
  DcDegraded: { holdSeconds: 120, what: 'a datacenter serves, but slowly or with less redundancy' },
  HostDegraded: {
    holdSeconds: 300,
    what: 'a host serves, but slowly, or a check of it fails that is no reason to go elsewhere',
  },
  CertificateExpires: { holdSeconds: 0, what: 'a certificate ends soon' },
  CheckersBlind: { holdSeconds: 60, what: 'fewer checkers than the quorum have something to say' },
  CheckerMissing: { holdSeconds: 300, what: 'a checker is not heard, or abstains' },
  CheckersDisagree: { holdSeconds: 300, what: 'some checkers say down, others up' },
} as const satisfies Record<string, { holdSeconds: number; what: string }>

export type AlertName = keyof typeof catalogue

/** The page about an alert; `base`: where the pages of docs/operations/alerts are. */
export function runbook(name: AlertName, base: string): string {
  return `${base}/${name}.md`
}
