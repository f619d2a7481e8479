import { z } from 'zod'
import { PlatformError } from '#platform/errors.ts'
import { isOver } from '#platform/rolls/roll.ts'
import { openEventStream } from '../event-stream.ts'
import { Problem } from '../problems.ts'
import { route, type Route } from '../route.ts'
import { shownRoll } from './roll-shape.ts'

/** Id of the last event of a roll that is over: who has it is told that nothing more comes. */
const lastId = 'end'

export const rollEvents: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/rolls/{roll}/events',
    access: 'platform',
    summary: 'Server-sent events of how far a roll is, each the whole of it; ends when it is over',
    tag: 'rolls',
    params: z.strictObject({ roll: z.uuid() }),
    status: 200,
    stream: 'text/event-stream',
    problems: ['roll_not_found', 'too_many_streams'],
    handle: async ({ deps, caller, params: { roll: id }, request, response }) => {
      const { rolls, rollWatch } = deps.platform
      const one = await rolls.get(id)
      if (one === undefined) throw new PlatformError('roll_not_found', `no roll "${id}"`)
      // What an EventSource takes as the end, instead of opening it again and again.
      if (isOver(one) && request.get('last-event-id') === lastId) return void response.status(204).end()
      // Who reads slowly is told the newest only.
      let next: string | undefined
      let over = false
      const stop = rollWatch.watch(id, {
        changed: (roll) => {
          over = isOver(roll)
          const mark = over ? `id: ${lastId}\n` : ''
          next = `${mark}event: roll\ndata: ${JSON.stringify(shownRoll(roll))}\n\n`
          events.more()
        },
        unread: () =>
          events.write('gap', { reason: 'the store cannot be read; what was told may be old by now' }),
      })
      if (stop === null)
        throw new Problem('too_many_streams', 'close another stream of a roll first', { retryAfter: 5 })
      response.on('close', stop)
      const events = openEventStream(deps, { caller, request, response })
      events.pump(() => {
        const frame = next
        next = undefined
        if (frame === undefined && over) events.end()
        return frame
      })
      return undefined
    },
  }),
]
