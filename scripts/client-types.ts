import { writeFileSync } from 'node:fs'
import { generatedFiles } from './codegen/files.ts'

/** Writes what is generated from docs/openapi.json for the client and the command line: `npm run client`. */
for (const [file, content] of generatedFiles()) writeFileSync(file, content)
