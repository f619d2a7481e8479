import { html, type Markup } from './html.ts'
import type { Report } from './report.ts'

/** Entries of the feed. */
const maxEntries = 50

/** Incidents and planned maintenance as an Atom feed (RFC 4287), the last changed first. */
export function feedOf({ title, url, at, incidents, maintenance, past }: Report): string {
  const link = (anchor: string): string =>
    url === null ? `urn:cinque:status:${anchor}` : `${url}/#${anchor}`
  const entries = [
    ...incidents.map(({ id, title: name, openedAt, updates, closedAt }) => ({
      id,
      name: closedAt === null ? name : `Over: ${name}`,
      published: openedAt,
      updated: updates.at(-1)?.at ?? openedAt,
      text: updates.map((one) => `${iso(one.at)}: ${one.text}`).toReversed(),
    })),
    ...[...maintenance, ...past].map(({ id, title: name, description, startsAt, endsAt, createdAt }) => ({
      id: `plan-${id}`,
      name: `Planned maintenance: ${name}`,
      published: createdAt,
      updated: endsAt <= at ? endsAt : startsAt <= at ? startsAt : createdAt,
      text: [`${iso(startsAt)} to ${iso(endsAt)}`, description].filter((one) => one !== ''),
    })),
  ]
    .toSorted((a, b) => b.updated - a.updated)
    .slice(0, maxEntries)
  const newest = entries[0]?.updated ?? 0
  return html`<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<title>${title}</title>
<id>${url === null ? 'urn:cinque:status' : `${url}/`}</id>
<updated>${iso(newest)}</updated>
<author><name>${title}</name></author>
${url === null ? null : html`<link rel="self" href="${`${url}/feed.xml`}"/><link href="${`${url}/`}"/>`}
${entries.map((entry): Markup => {
  const { id, name, published, updated, text } = entry
  return html`<entry><title>${name}</title><id>${link(id)}</id>${url === null ? null : html`<link href="${link(id)}"/>`}<published>${iso(published)}</published><updated>${iso(updated)}</updated><content type="text">${text.join('\n')}</content></entry>
`
})}</feed>
`.text
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
