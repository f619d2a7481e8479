import type { z } from 'zod'
import { type FieldProblem, Problem } from './problems.ts'

/** A part of a request (`query`, `body`), as its schema makes it; problem `invalid_request` that names each wrong field. */
export function gateInput(schema: z.ZodType, input: unknown, where: string): unknown {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const errors = result.error.issues.slice(0, maxIssues).flatMap((issue) => fieldProblems(issue, where))
  const [first] = errors
  throw new Problem('invalid_request', `${first.field}: ${first.message}`, { errors })
}

const maxIssues = 20

function fieldProblems(issue: z.core.$ZodIssue, where: string): FieldProblem[] {
  const path = issue.path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${String(part)}`),
    where,
  )
  if (issue.code !== 'unrecognized_keys') return [{ field: path, message: messageOf(issue) }]
  return issue.keys.map((key) => ({ field: `${path}.${key}`, message: 'is not known here' }))
}

/** The schema library's own words, where they do not say what to do. */
function messageOf({ code, message }: z.core.$ZodIssue): string {
  if (code === 'invalid_type' && message.endsWith('received undefined')) return 'is missing'
  if (message === 'Invalid ISO datetime') return 'must be a time like 2026-11-21T12:00:00Z'
  return message
}
