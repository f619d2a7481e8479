import type { Request, Response } from 'express'
import type { z } from 'zod'
import type { Access } from './access.ts'
import type { Changes } from './audit.ts'
import type { Caller } from './callers.ts'
import type { Precondition, Version, Versioned } from './conditional.ts'
import type { ApiDeps } from './deps.ts'
import type { ProblemCode } from './problems.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

export interface Call<P, Q, B> {
  readonly deps: ApiDeps
  /** Null on public routes. */
  readonly caller: Caller | null
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly request: Request
  readonly response: Response
  /** On routes with `versioned`: what the request expects of what it changes. */
  readonly precondition: Precondition
  /** On routes with `versioned`: reports the version of what the answer shows. */
  readonly version: (version: Version) => void
  /**
   * Says for the audit what was changed: `before`, `after`, `targets` (ids). By default the ids in the path, and the
   * answer as `after`. Secrets are taken out.
   */
  readonly audit: (changes: Changes) => void
  /**
   * With an Idempotency-Key: the same each time that this request comes, in whatever DC. Who takes it as the id of what
   * he makes never makes it twice.
   */
  readonly repeatableId: string | null
}

export interface RouteSpec<
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends z.ZodType,
> {
  readonly method: Method
  /** With `{name}` for parameters. */
  readonly path: string
  readonly access: Access
  /** The handler itself looks at the groups that were granted (`groupsOf`); without it who has only some is refused. */
  readonly byGroup?: boolean
  /** Name of the operation for generated clients; made of method and path by default (`createDevice`). */
  readonly operationId?: string
  readonly summary: string
  readonly tag: string
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** Description of a body that the handler takes as bytes, of any content type (`bytesOf`). */
  readonly bytes?: z.ZodType
  /** Content types of a body of any length that the handler reads from `request` by itself. */
  readonly upload?: readonly string[]
  readonly status: 200 | 201 | 202 | 204
  /** Schema of the answer; what it does not name is not sent. */
  readonly answer?: R
  /** The resource counts its changes: GET reports `version`, others pass `precondition.check` before they change it. */
  readonly versioned?: Versioned
  /** A caller may ask for some fields of the answer only (`?fields=id,name`). */
  readonly fields?: boolean
  /** A change that is not worth an entry in the audit, as it says nothing but that somebody is still there. */
  readonly unrecorded?: boolean
  /** Content type of an answer that the handler writes by itself. */
  readonly stream?: string
  /** Problems beside those that every route may have. */
  readonly problems?: readonly ProblemCode[]
  readonly handle: (
    call: Call<z.output<P>, z.output<Q>, z.output<B>>,
  ) => Promise<z.input<R> | undefined> | z.input<R> | undefined
}

/** Any route, as those see it who only describe it or stand at its door. */
export type AnySpec = RouteSpec<z.ZodType, z.ZodType, z.ZodType, z.ZodType>
