import { z } from 'zod'
import { problems } from '../problems.ts'
import { route, type Route } from '../route.ts'

export const errors: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/errors',
    access: 'public',
    summary: 'Every error code of the API',
    tag: 'meta',
    status: 200,
    answer: z.object({ items: z.array(z.object({ code: z.string(), status: z.int(), title: z.string() })) }),
    handle: () => ({
      items: Object.entries(problems).map(([code, [status, title]]) => ({ code, status, title })),
    }),
  }),
]
