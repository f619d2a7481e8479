import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { Route } from './route.ts'

export type ApiDocument = ReturnType<typeof createDocument>

/** What the tags of operations are about, in the order of the reference. */
const tagTexts: Readonly<Record<string, string>> = {
  organisations: 'Tenants: nothing of one is seen by another',
  users: 'People and their roles',
  sessions: 'Signing in and out',
  'api-keys': 'Keys of programs, with scopes and an end',
  audit: 'Who changed what',
  devices: 'Devices and their keys',
  groups: 'Devices together',
  nodes: 'Parts of a device with keys of their own',
  clients: 'MQTT clients, in whatever process they are connected',
  telemetry: 'Values in, history out',
  twins: 'What a device should be, and what it is',
  commands: 'What a device should do, and what came of it',
  live: 'What happens, as it happens',
  usage: 'What was used, and what may be',
  meta: 'The API about itself',
}

/** The OpenAPI 3.1 document of routes; made of the schemas that validate their requests and answers. */
export function apiDocument(routes: readonly Route[], version: string): ApiDocument {
  const paths: ZodOpenApiPathsObject = {}
  const used = new Set<string>()
  for (const { method, path, operation } of routes) {
    paths[path] = { ...paths[path], [method]: operation }
    for (const tag of operation.tags ?? []) used.add(tag)
  }
  const known = Object.keys(tagTexts).filter((tag) => used.has(tag))
  const tags = [...known, ...Array.from(used).filter((tag) => !known.includes(tag))]
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'cinque',
      version,
      description:
        'REST API of the cinque IoT platform. Times are ISO 8601 in UTC, lists are `{items, next}` with opaque cursors, ' +
        'errors are RFC 9457 documents with a stable `code` (`GET /v1/errors`).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'the host that this document comes from' }],
    tags: tags.map((name) => ({ name, ...(name in tagTexts ? { description: tagTexts[name] } : {}) })),
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: "session of a user, API key, an organisation's token, or the platform's",
        },
        deviceKey: { type: 'apiKey', in: 'header', name: 'authorization', description: '`Device {key}`' },
      },
    },
  })
}
