import type { DayState } from './history.ts'
import { html, type Markup } from './html.ts'
import type { Overall, Report } from './report.ts'
import { percentOf, stateWords } from './words.ts'

type Dc = Report['dcs'][number]

const barWidth = 4
const barHeight = 28

/** A bar a day, the newest at the right; what it shows is said in words to those who do not see it. */
export function bars({ place, days, availability: share }: Dc): Markup {
  const bad = days.filter(({ worst }) => worst === 'down').length
  const label = `${place}, the last ${days.length} days: ${percentOf(share)}, ${bad === 0 ? 'no day' : bad === 1 ? 'one day' : `${bad} days`} with an outage`
  return html`<svg class="bars" role="img" aria-label="${label}" viewBox="0 0 ${days.length * barWidth - 1} ${barHeight}" preserveAspectRatio="none">${days.map(
    ({ day, worst, availability: one }, i) =>
      html`<rect class="${worst}" x="${i * barWidth}" width="${barWidth - 1}" height="${barHeight}"><title>${dayText(day, worst, one)}</title></rect>`,
  )}</svg>`
}

function dayText(day: string, worst: DayState, share: number | null): string {
  if (worst === 'unknown') return `${day}: no data`
  return `${day}: ${percentOf(share)}${worst === 'up' ? '' : `, ${stateWords[worst]}`}`
}

const curveWidth = 240
const curveHeight = 32

/** Response times of a day; a gap where there were none. Null: there are none at all. */
export function curve({ place, responses }: Dc): Markup | null {
  const known = responses.filter((one) => one !== null)
  if (known.length < 2) return null
  const most = Math.max(...known)
  const lines: string[][] = [[]]
  for (const [i, ms] of responses.entries()) {
    if (ms === null) lines.push([])
    else {
      const x = (i * curveWidth) / (responses.length - 1)
      const y = curveHeight - 1 - (ms / Math.max(most, 1)) * (curveHeight - 4)
      lines.at(-1)?.push(`${x.toFixed(1)},${y.toFixed(1)}`)
    }
  }
  const label = `${place}, response times of the last 24 hours: ${Math.round(Math.min(...known))} to ${Math.round(most)} ms`
  return html`<svg class="curve" role="img" aria-label="${label}" viewBox="0 0 ${curveWidth} ${curveHeight}" preserveAspectRatio="none">${lines
    .filter((points) => points.length > 0)
    .map((points) => html`<polyline points="${points.join(' ')}"/>`)}</svg>`
}

const marks: Readonly<Record<Overall, Markup>> = {
  ok: html`<path d="M7 12.5l3.5 3.5L17 9"/>`,
  maintenance: html`<path d="M12 7v5l3.5 2"/>`,
  minor: html`<path d="M12 7v6M12 16.5v.01"/>`,
  major: html`<path d="M12 7v6M12 16.5v.01"/>`,
  critical: html`<path d="M8.5 8.5l7 7M15.5 8.5l-7 7"/>`,
  unknown: html`<path d="M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 16.5v.01"/>`,
}

/** A mark with a shape of its own, for those who do not see its colour. */
export function mark(overall: Overall): Markup {
  return html`<svg class="${overall}" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"><circle cx="12" cy="12" r="10"/>${marks[overall]}</svg>`
}
