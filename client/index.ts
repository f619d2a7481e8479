export { CinqueClient, createClient } from './client.ts'
export type {
  AnswerOf,
  AnyRequest,
  CinqueOptions,
  EventOptions,
  EventPath,
  InitOf,
  ItemOf,
  PagedPath,
  PathsOf,
} from './client.ts'
export { ApiError, UnexpectedAnswerError, UnreachableError } from './errors.ts'
export type { FieldProblem } from './errors.ts'
export type { LiveEvent } from './live.ts'
export type * from './schema.ts'
