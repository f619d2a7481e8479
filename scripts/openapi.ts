import { writeFileSync } from 'node:fs'
import { openApiDocument } from '#api/app.ts'
import { errorsPage } from '#api/errors-page.ts'
import { version } from './version.ts'

/** Writes what is generated from the routes and checked in: `npm run openapi`. */
writeFileSync(
  new URL('../docs/openapi.json', import.meta.url),
  `${JSON.stringify(openApiDocument(version), null, 2)}\n`,
)
writeFileSync(new URL('../docs/errors.md', import.meta.url), errorsPage())
