import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { CliError, errorLine } from '#scripts/output.ts'

/** Changes when older data can't be used as they are. */
const layout = 1
/** Says that all nodes have the schema, so that there may be data. */
export const bornFile = 'born'
const markFile = 'cell.yaml'
const mark = z.looseObject({ layout: z.number().int(), inventory: z.unknown().optional() })

/** Whether a cell has its data there. */
export function isCell(path: string): boolean {
  return existsSync(join(path, markFile))
}

/** The directory of a cell on this machine: what it is made of, its data, logs, keys. */
export class CellDirectory {
  readonly path: string

  constructor(path: string) {
    this.path = resolve(path)
  }

  /** What the cell there is made of; undefined: there is none yet. CliError: something else is there. */
  read(): Inventory | undefined {
    const file = join(this.path, markFile)
    if (!existsSync(file)) {
      if (!existsSync(this.path)) return undefined
      if (!statSync(this.path).isDirectory()) {
        throw new CliError(`${this.path} is no directory`, {
          remedy: 'A directory for the cell: --data DIR.',
        })
      }
      if (readdirSync(this.path).length === 0) return undefined
      throw new CliError(`${this.path} has files, but no cell`, {
        remedy: 'Data of a plain `cinque dev`? Another directory, one for the cell: --data DIR.',
      })
    }
    try {
      const { layout: found, inventory } = mark.parse(parse(readFileSync(file, 'utf8')))
      if (found !== layout) {
        throw new CliError(`${this.path} has layout ${found}, this version reads ${layout}`, {
          remedy: 'Another directory: --data DIR; or the version of cinque that made it.',
        })
      }
      return checkInventory(inventory, file)
    } catch (error) {
      if (error instanceof CliError) throw error
      throw new CliError(`cannot read ${file}: ${errorLine(error)}`, {
        remedy: 'Another directory: --data DIR. If nothing in it is needed, delete it.',
        cause: error,
      })
    }
  }

  /** Makes a new cell's directory. */
  create(inventory: Inventory): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
    this.write([markFile], stringify({ layout, inventory }))
  }

  has(name: string): boolean {
    return existsSync(join(this.path, name))
  }

  /** Path of a file or directory in it; the directories above it are made. */
  place(...parts: string[]): string {
    const path = join(this.path, ...parts)
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
    return path
  }

  /** Writes a file that only its owner reads; returns its path. */
  write(parts: string[], text: string): string {
    const file = this.place(...parts)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  /** What a file says; made by `fresh` if it is not there. */
  kept(parts: string[], fresh: () => string): string {
    const file = join(this.path, ...parts)
    if (existsSync(file)) return readFileSync(file, 'utf8')
    const text = fresh()
    this.write(parts, text)
    return text
  }
}
