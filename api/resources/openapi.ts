import { z } from 'zod'
import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi'
import { route, type Route } from '../route.ts'

type Document = ReturnType<typeof createDocument>

/** `GET /v1/openapi.json`: the description of the given routes, made when it is first asked for. */
export function openapi(routes: readonly Route[], version: string): Route {
  let document: Document | undefined
  return route({
    method: 'get',
    path: '/v1/openapi.json',
    access: 'public',
    summary: 'This description',
    tag: 'meta',
    status: 200,
    answer: z.looseObject({ openapi: z.string() }),
    handle: () => ({ ...(document ??= describe(routes, version)) }),
  })
}

function describe(routes: readonly Route[], version: string): Document {
  const paths: ZodOpenApiPathsObject = {}
  for (const { method, path, operation } of routes) {
    paths[path] = { ...paths[path], [method]: operation }
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'cinque',
      version,
      description: 'REST API of the cinque IoT platform. Errors are RFC 9457 documents with a stable `code`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: "the admin's or an organisation's token" },
        deviceKey: { type: 'apiKey', in: 'header', name: 'authorization', description: '`Device {key}`' },
      },
    },
  })
}
