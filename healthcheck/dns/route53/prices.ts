/** US dollars without tax, for the first of each step; the page of AWS on the date below. */
export const prices = {
  asOf: '2026-09-20',
  source: 'https://aws.amazon.com/route53/pricing/',
  /** A month; the first 25 zones of an account, 10,000 records each. */
  zone: 0.5,
  /** A month and check of an endpoint outside of AWS, without options (HTTPS, 10 s interval, string, latency). */
  endpointCheck: 0.75,
  /** A month and calculated check: as one of an endpoint in AWS. */
  calculatedCheck: 0.5,
  /** Checks of that kind which an account has for nothing. */
  calculatedFree: 50,
  /** A million queries of names that are answered by place, first billion a month. */
  placeQueries: 0.7,
} as const

export interface Cost {
  readonly endpointChecks: number
  readonly calculatedChecks: number
  /** US dollars a month, queries included as far as their number is known. */
  readonly month: number
}

/** What a zone with these checks costs; of the free calculated checks, others of the account may have taken some. */
export function costOf(counts: {
  endpointChecks: number
  calculatedChecks: number
  /** Millions a month. */
  queries?: number | undefined
}): Cost {
  const { endpointChecks, calculatedChecks, queries = 0 } = counts
  const paid = Math.max(0, calculatedChecks - prices.calculatedFree)
  const month =
    prices.zone +
    endpointChecks * prices.endpointCheck +
    paid * prices.calculatedCheck +
    queries * prices.placeQueries
  return { endpointChecks, calculatedChecks, month: Math.round(month * 100) / 100 }
}
