import { type Alert, runbook } from '../alerts/alert.ts'

/** What became of an alert. */
export type News = 'firing' | 'resolved'

export interface Item {
  readonly news: News
  readonly alert: Alert
}

/** What is sent at a time to one receiver. */
export interface Message {
  /** The same when it is tried again. */
  readonly id: string
  readonly cell: string
  /** Who sends it. */
  readonly checker: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** At least one. */
  readonly items: readonly Item[]
  /** Where the pages about alerts are. */
  readonly runbooks: string
  /** Where the status page is. */
  readonly url: string | null
}

/** Longest text of a probe's words in a message. */
const maxLine = 300

/** In one line, for the list of letters. */
export function subjectOf({ cell, items }: Message): string {
  const firing = items.filter(({ news }) => news === 'firing')
  const resolved = items.length - firing.length
  const [first] = firing.length > 0 ? firing : items
  const what = `${first.news === 'firing' ? first.alert.severity : 'resolved'}: ${first.alert.name} ${first.alert.subject}`
  const more = items.length - 1
  const rest =
    more === 0 ? '' : ` and ${more} more${firing.length > 0 && resolved > 0 ? `, ${resolved} resolved` : ''}`
  return oneLine(`[${cell}] ${what}${rest}`)
}

/** Plain text: what probes said is in it, so nothing of it is markup. */
export function textOf(message: Message): string {
  const { items, checker, runbooks, url } = message
  const lines: string[] = []
  for (const news of ['firing', 'resolved'] as const) {
    const those = items.filter((one) => one.news === news)
    if (those.length > 0) lines.push(news === 'firing' ? 'FIRING' : 'RESOLVED', '')
    for (const { alert } of those) {
      lines.push(`${alert.name} ${alert.subject} (${alert.severity}), since ${timeOf(alert.since)}`)
      lines.push(`  ${oneLine(alert.summary)}`)
      if (news === 'firing') lines.push(`  What to do: ${runbook(alert.name, runbooks)}`)
      lines.push('')
    }
  }
  lines.push(`Sent by ${checker}.${url === null ? '' : ` ${url}`}`)
  return `${lines.join('\n')}\n`
}

/** The body of a webhook. */
export function bodyOf({ id, cell, checker, at, items, runbooks, url }: Message): string {
  return JSON.stringify({
    type: 'alerts',
    timestamp: new Date(at).toISOString(),
    data: {
      id,
      cell,
      checker,
      status_page: url,
      alerts: items.map(({ news, alert: { key, name, subject, severity, since, summary } }) => ({
        key,
        state: news,
        name,
        subject,
        severity,
        since: new Date(since).toISOString(),
        summary: oneLine(summary),
        runbook: runbook(name, runbooks),
      })),
    },
  })
}

/** Control characters would begin new lines and headers. */
function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}+/gu, ' ')
    .slice(0, maxLine)
}

function timeOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
