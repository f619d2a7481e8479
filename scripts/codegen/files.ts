import { readFileSync } from 'node:fs'
import type { ApiDescription } from './document.ts'
import { clientFile, commandLineFile } from './operations.ts'
import { typesFile } from './types.ts'

/** Every file that is generated from the OpenAPI document as it is checked in, with its content. */
export function generatedFiles(): Map<URL, string> {
  const at = (path: string): URL => new URL(`../../${path}`, import.meta.url)
  const document = JSON.parse(readFileSync(at('docs/openapi.json'), 'utf8')) as ApiDescription
  return new Map([
    [at('client/schema.ts'), typesFile(document)],
    [at('client/operations.ts'), clientFile(document)],
    [at('scripts/rest/operations.ts'), commandLineFile(document)],
  ])
}
