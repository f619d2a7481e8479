import { hash } from 'node:crypto'
import { isRunning, type Plan } from '#platform/maintenance/plan.ts'
import { bars, curve, mark } from './graphics.ts'
import { html, type Markup, raw } from './html.ts'
import type { Incident } from './incidents.ts'
import type { Report } from './report.ts'
import { script, style } from './style.ts'
import { dateOf, durationOf, percentOf, stateWords, timeOf } from './words.ts'

const digest = (text: string): string => `'sha256-${hash('sha256', text, 'base64')}'`

/** Nothing but what the page itself has may run or be shown. */
export const contentPolicy = [
  "default-src 'none'",
  `style-src ${digest(style)}`,
  `script-src ${digest(script)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** Incidents that the page shows of those that are over; the feed and JSON have more. */
const shownIncidents = 30

/** The status page: one document that needs nothing else, complete without its script. */
export function pageOf(report: Report, revision: string): string {
  const { title, text, at, overall, dcs, incidents, maintenance, past } = report
  const open = incidents.filter(({ closedAt }) => closedAt === null)
  const over = incidents.filter(({ closedAt }) => closedAt !== null).slice(0, shownIncidents)
  return html`<!doctype html>
<html lang="en" data-at="${at}" data-revision="${revision}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">
<title>${text} – ${title}</title>
<link rel="alternate" type="application/atom+xml" title="${title}" href="feed.xml">
<style>${raw(style)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<div class="card now ${overall}">${mark(overall)}<p role="status">${text}</p></div>
<p class="soft">Seen at <time datetime="${iso(at)}">${timeOf(at)}</time> from several places outside.</p>
<p id="old" class="card" hidden>This page has not been renewed for more than five minutes. What it says may be old.</p>
</header>
<main>
${open.length === 0 ? null : html`<section aria-labelledby="current"><h2 id="current">Now</h2>${open.map((one) => incident(one, at))}</section>`}
${maintenance.length === 0 ? null : html`<section aria-labelledby="planned"><h2 id="planned">Planned maintenance</h2>${maintenance.map((one) => planned(one, report))}</section>`}
<section aria-labelledby="places"><h2 id="places">Datacenters</h2><ul>${dcs.map(datacenter)}</ul></section>
${objective(report)}
<section aria-labelledby="history"><h2 id="history">History</h2>
${over.length === 0 && past.length === 0 ? html`<p class="card">Nothing happened in the last 90 days.</p>` : null}
${over.map((one) => incident(one, at))}
${past.slice(0, shownIncidents).map((one) => planned(one, report))}
</section>
</main>
<footer><p>Also as <a href="feed.xml">feed</a> and <a href="status.json">JSON</a>. All times are UTC.</p></footer>
<script>${raw(script)}</script>
</body>
</html>
`.text
}

function datacenter(dc: Report['dcs'][number]): Markup {
  const { name, place, kind, state, percent, availability: share, responses } = dc
  const last = responses.findLast((one) => one !== null) ?? null
  const line = curve(dc)
  return html`
<li class="card dc"><h3>${place} <span class="soft">${name}${kind === 'backup' ? ', in reserve' : ''}</span></h3>
<span class="state ${state}">${stateWords[state]}${percent < 100 && state !== 'down' && state !== 'maintenance' ? html` <span class="soft">at ${percent} %</span>` : null}</span>
${bars(dc)}
<span class="ends soft"><span>90 days ago</span><span>${percentOf(share)}</span><span>today</span></span>
${line === null ? null : html`${line}<span class="ends soft"><span>Response time, 24 hours</span><span>${last === null ? 'no data' : `${Math.round(last)} ms`}</span></span>`}</li>`
}

function incident({ id, title, impact, openedAt, closedAt, updates }: Incident, at: number): Markup {
  const lasted = durationOf((closedAt ?? at) - openedAt)
  return html`
<article class="card" id="${id}"><h3 class="${closedAt === null ? impact : ''}">${title}</h3>
<p class="soft">${timeOf(openedAt)}${closedAt === null ? `, for ${lasted} now` : `, for ${lasted}`}</p>
<ol class="news">${updates
    .toReversed()
    .map(
      ({ at: said, text }) =>
        html`<li><p>${text}</p><p class="soft"><time datetime="${iso(said)}">${timeOf(said)}</time></p></li>`,
    )}</ol></article>`
}

function planned(plan: Plan, { at, dcs }: Report): Markup {
  const { id, title, description, subjects, startsAt, endsAt } = plan
  const places = dcs.filter(({ name }) => subjects.includes(name)).map(({ place }) => place)
  return html`
<article class="card" id="${`plan-${id}`}"><h3 class="${isRunning(plan, at) ? 'maintenance' : ''}">${title}${isRunning(plan, at) ? ' (under way)' : ''}</h3>
<p class="soft"><time datetime="${iso(startsAt)}">${timeOf(startsAt)}</time> to <time datetime="${iso(endsAt)}">${timeOf(endsAt)}</time>${places.length === 0 ? '' : `; ${places.join(', ')}`}</p>
${description === '' ? null : html`<p>${description}</p>`}</article>`
}

function objective({ objective: { target, months } }: Report): Markup | null {
  if (months.length === 0) return null
  return html`<section aria-labelledby="months"><h2 id="months">The service, by month</h2>
<div class="card"><table><thead><tr><th scope="col">Month</th><th scope="col">Available</th><th scope="col">Left of what may be out (${percentOf(target)} is promised)</th></tr></thead>
<tbody>${months.map(
    ({ month, availability: share, leftSeconds }) =>
      html`<tr><th scope="row">${monthName(month)}</th><td>${percentOf(share)}</td><td>${leftSeconds < 0 ? `none: ${durationOf(-leftSeconds * 1000)} too much` : durationOf(leftSeconds * 1000)}</td></tr>`,
  )}</tbody></table></div></section>`
}

function monthName(month: string): string {
  return dateOf(Date.parse(`${month}-01T00:00:00Z`)).replace(/^1 /, '')
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
