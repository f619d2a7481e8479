import type { Noun } from '#scripts/rest/verb.ts'

export const imports: Noun = {
  name: 'imports',
  text: 'many devices at once, from a file',
  verbs: [
    {
      name: 'add',
      operation: 'createImport',
      example: 'devices.csv --dry-run true',
      file: true,
    },
  ],
}
