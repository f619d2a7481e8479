import { z } from 'zod'
import { type ApiDocument, apiDocument } from '../document.ts'
import { referencePage, referenceStyle } from '../reference.ts'
import { route, type Route } from '../route.ts'

/**
 * The description of the given routes, as a document and as a page for people; each is made when it is first asked
 * for. The page loads nothing but its own style sheet.
 */
export function openapi(routes: readonly Route[], version: string): readonly Route[] {
  let made: ApiDocument | undefined
  let page: string | undefined
  const document = (): ApiDocument => (made ??= apiDocument([...routes, ...own], version))
  const own = [
    route({
      method: 'get',
      path: '/v1/openapi.json',
      access: 'public',
      operationId: 'getOpenApi',
      summary: 'This description as an OpenAPI document',
      tag: 'meta',
      status: 200,
      answer: z.looseObject({ openapi: z.string() }),
      handle: () => ({ ...document() }),
    }),
    route({
      method: 'get',
      path: '/v1/docs',
      access: 'public',
      operationId: 'getReference',
      summary: 'This description as a page',
      tag: 'meta',
      status: 200,
      stream: 'text/html',
      handle: ({ response }) => {
        response.type('html').send((page ??= referencePage(document())))
        return undefined
      },
    }),
    route({
      method: 'get',
      path: '/v1/docs/style.css',
      access: 'public',
      operationId: 'getReferenceStyle',
      summary: 'Style sheet of that page',
      tag: 'meta',
      status: 200,
      stream: 'text/css',
      handle: ({ response }) => {
        response.type('css').send(referenceStyle)
        return undefined
      },
    }),
  ]
  return own
}
