import type { Report } from './report.ts'
import type { Plan } from '#platform/maintenance/plan.ts'

/** The report as JSON, for programs; `revision` changes when people would see something else. */
export function documentOf(report: Report, revision: string): string {
  const { title, at, overall, text, dcs, incidents, maintenance, past, objective } = report
  const document = {
    title,
    updated_at: iso(at),
    revision,
    state: overall,
    text,
    datacenters: dcs.map(({ responses, ...dc }) => ({
      ...dc,
      response_ms: responses.map((ms) => ms && Math.round(ms)),
    })),
    incidents: incidents.map(({ id, title: name, impact, subjects, openedAt, closedAt, updates }) => ({
      id,
      title: name,
      impact,
      subjects,
      opened_at: iso(openedAt),
      closed_at: closedAt === null ? null : iso(closedAt),
      updates: updates.map((one) => ({ at: iso(one.at), text: one.text })),
    })),
    maintenance: [...maintenance, ...past].map(shownPlan),
    objective: {
      target: objective.target,
      months: objective.months.map(({ month, availability, leftSeconds }) => ({
        month,
        availability,
        left_seconds: leftSeconds,
      })),
    },
  }
  return `${JSON.stringify(document)}\n`
}

/** Who made it is not for everybody. */
function shownPlan({ id, title, description, subjects, startsAt, endsAt }: Plan) {
  return { id, title, description, subjects, starts_at: iso(startsAt), ends_at: iso(endsAt) }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
