import { z } from 'zod'

const cpuProfile = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  startTime: z.number(),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
})

export interface Share {
  readonly name: string
  /** Of the time that was not idle, in percent. */
  readonly percent: number
}

/** What V8 reports beside functions. */
const IDLE = '(idle)'

function shares(microseconds: ReadonlyMap<string, number>, top: number): Share[] {
  const total = [...microseconds.values()].reduce((sum, t) => sum + t, 0)
  return [...microseconds]
    .map(([name, t]) => ({ name, percent: (100 * t) / total }))
    .toSorted((a, b) => b.percent - a.percent)
    .slice(0, top)
}

/**
 * Where a `.cpuprofile` of V8 says the time went, each function's own: by function and by file. Counts from a time on
 * the monotonic clock, in microseconds, so that start-up can be left out.
 */
export function summarize(
  text: string,
  from: number,
  top: number,
  shorten: (url: string) => string,
): { functions: Share[]; files: Share[] } {
  const profile = cpuProfile.parse(JSON.parse(text))
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]))
  const functions = new Map<string, number>()
  const files = new Map<string, number>()
  const add = (to: Map<string, number>, name: string, t: number) => to.set(name, (to.get(name) ?? 0) + t)
  let now = profile.startTime
  profile.samples.forEach((id, i) => {
    const frame = frames.get(id)
    const t = profile.timeDeltas[i] ?? 0
    now += t
    if (now < from || frame === undefined || frame.functionName === IDLE) return
    const file = frame.url === '' ? '(runtime)' : shorten(frame.url)
    const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
    add(functions, frame.url === '' ? name : `${name} ${file}:${frame.lineNumber + 1}`, t)
    add(files, file, t)
  })
  return { functions: shares(functions, top), files: shares(files, top) }
}
