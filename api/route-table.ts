import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { Problem } from './problems.ts'

interface Mounted {
  /** For metrics: `/v1/devices/:device`. */
  readonly name: { readonly path: string }
  readonly parameters: readonly string[]
  readonly gates: readonly RequestHandler[]
}

interface Step {
  readonly fixed: Map<string, Step>
  any: Step | null
  /** By method. */
  readonly ends: Map<string, Mounted>
}

/**
 * Finds the route of a path by its steps. Express asks one pattern after the other, which for a hundred routes takes
 * longer than the rest of a read. A fixed step counts before a parameter. A slash at the end may be there or not.
 */
export class RouteTable {
  readonly #root: Step = newStep()

  /** `path` with `{name}` for parameters; gates run one after the other. */
  add(method: string, path: string, gates: readonly RequestHandler[]): void {
    const parameters: string[] = []
    let at = this.#root
    for (const step of stepsOf(path)) {
      const parameter = /^\{(\w+)\}$/.exec(step)?.[1]
      if (parameter === undefined) {
        let next = at.fixed.get(step)
        if (next === undefined) at.fixed.set(step, (next = newStep()))
        at = next
      } else {
        parameters.push(parameter)
        at = at.any ??= newStep()
      }
    }
    const name = { path: path.replaceAll(/\{(\w+)\}/g, ':$1') }
    at.ends.set(method.toUpperCase(), { name, parameters, gates })
  }

  /** Answers what it has a route for, others by 405 if the path has other methods; the rest is for who comes next. */
  readonly handle = (request: Request, response: Response, next: NextFunction): void => {
    const values: string[] = []
    const ends = find(this.#root, stepsOf(request.path), 0, values)
    if (ends === null) return next()
    const { method } = request
    const mounted = ends.get(method) ?? (method === 'HEAD' ? ends.get('GET') : undefined)
    if (mounted === undefined) {
      const allowed = Array.from(ends.keys()).join(', ')
      response.set('allow', allowed)
      return next(new Problem('method_not_allowed', `${method} is not allowed here; allowed: ${allowed}`))
    }
    request.route = mounted.name
    request.params = {}
    for (let i = 0; i < values.length; i++) {
      const value = decoded(values[i])
      if (value === null)
        return next(new Problem('invalid_request', `path.${mounted.parameters[i]}: is not UTF-8`))
      request.params[mounted.parameters[i]] = value
    }
    run(mounted.gates, 0, request, response, next)
  }
}

function run(
  gates: readonly RequestHandler[],
  i: number,
  request: Request,
  response: Response,
  next: NextFunction,
): void {
  if (i === gates.length) return
  const passed = (error?: unknown): void => {
    if (error === undefined) run(gates, i + 1, request, response, next)
    else next(error)
  }
  try {
    const waiting: unknown = gates[i](request, response, passed)
    if (waiting instanceof Promise) waiting.catch(next)
  } catch (error) {
    next(error)
  }
}

function find(at: Step, steps: readonly string[], i: number, values: string[]): Map<string, Mounted> | null {
  if (i === steps.length) return at.ends.size === 0 ? null : at.ends
  const fixed = at.fixed.get(steps[i])
  const found = fixed === undefined ? null : find(fixed, steps, i + 1, values)
  if (found !== null || at.any === null || steps[i] === '') return found
  values.push(steps[i])
  const other = find(at.any, steps, i + 1, values)
  if (other === null) values.pop()
  return other
}

function stepsOf(path: string): string[] {
  const steps = path.split('/')
  steps.shift()
  if (steps.length > 1 && steps.at(-1) === '') steps.pop()
  return steps
}

function decoded(step: string): string | null {
  if (!step.includes('%')) return step
  try {
    return decodeURIComponent(step)
  } catch {
    return null
  }
}

function newStep(): Step {
  return { fixed: new Map(), any: null, ends: new Map() }
}
