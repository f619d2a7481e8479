import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../docs/operations/', import.meta.url))

export interface Page {
  /** `alerts/DcDown.md`, below docs/operations. */
  readonly name: string
  readonly path: string
  readonly text: string
  /** Lines of its blocks of commands, as they are typed. */
  readonly commands: readonly string[]
}

/** Pages that are followed command by command. */
export function runbookPages(): Page[] {
  return ['alerts', 'verbs'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .toSorted()
      .map((file) => {
        const path = join(root, folder, file)
        const text = readFileSync(path, 'utf8')
        const blocks = Array.from(text.matchAll(/^```sh\n(.*?)^```$/gms), ([, block]) => block)
        const commands = blocks.flatMap((block) => block.split('\n').filter((line) => line !== ''))
        return { name: `${folder}/${file}`, path, text, commands }
      }),
  )
}

/** The words of a line without variables, as a shell makes them. */
export function wordsOf(line: string): string[] {
  return Array.from(line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g), ([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
  )
}
