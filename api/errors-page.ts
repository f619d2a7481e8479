import { problems } from './problems.ts'

const reasons: Readonly<Record<number, string>> = {
  400: 'the request is wrong; the same one will be refused again',
  401: 'it is not known who asks',
  403: 'it is known who asks, and he may not',
  404: 'there is no such thing, or it is not for who asks',
  405: 'the path has other methods',
  409: 'what is there is against it',
  410: 'it was there',
  412: 'it has changed since it was read',
  413: 'too long',
  415: 'in another form',
  422: 'understood, and still wrong',
  428: 'a condition is missing',
  429: 'too much; try again after `Retry-After`',
  500: 'our fault; tell us the request id',
  503: 'not now; try again after `Retry-After`',
}

/** `docs/errors.md`: the catalogue, by status. */
export function errorsPage(): string {
  const statuses = Array.from(new Set(Object.values(problems).map(([status]) => status))).toSorted(
    (a, b) => a - b,
  )
  const sections = statuses.map((status) => {
    const rows = Object.entries(problems)
      .filter(([, [own]]) => own === status)
      .map(([code, [, title]]) => `| \`${code}\` | ${title} |`)
    const reason = reasons[status]
    return `## ${status}${reason === undefined ? '' : `: ${reason}`}\n| code | meaning |\n|---|---|\n${rows.join('\n')}\n`
  })
  return `# Errors of the REST API
Generated from \`api/problems.ts\` by \`npm run openapi\`. An error is a document of type \`application/problem+json\` (RFC 9457):
\`\`\`json
{"type": "/v1/errors#device_not_found", "title": "There is no such device", "status": 404, "code": "device_not_found",
 "detail": "no device \\"thermo-9\\"", "request_id": "0c4e..."}
\`\`\`
\`code\` never changes its meaning or its status, so programs decide by it; \`detail\` says what to do and may change. \`errors\`
names each wrong field of a request. \`request_id\` is also in \`X-Request-Id\` and in the log. A running platform
lists the codes at \`GET /v1/errors\`.

${sections.join('\n')}`
}
