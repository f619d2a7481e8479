import { renameSync, writeFileSync } from 'node:fs'
import { isMap, isSeq, parse, parseDocument, type YAMLMap } from 'yaml'
import { checkInventory, type Host, type Inventory, InventoryError } from '#platform/inventory/inventory.ts'
import { racksOf } from '#platform/inventory/racks.ts'

/** An inventory as people have written it, with one change: all other lines stay as they are, comments too. */
export interface Edited {
  readonly text: string
  readonly inventory: Inventory
}

/** What is said of a host; the rest is as for any other. */
export type NewHost = Pick<Host, 'name' | 'dc' | 'roles' | 'address'> &
  Partial<Pick<Host, 'brokers' | 'weight' | 'provider' | 'price'>>

/** Adds a host behind all others, so nobody's rack changes and nobody's seeds. InventoryError: it can't be right then. */
export function withHost(text: string, host: NewHost, file: string): Edited {
  const last = itemsOf(text, file).at(-1)
  if (last === undefined) throw unreadable(file)
  const fields = Object.entries(host).filter(([, value]) => value !== undefined)
  const line = `${last.indent}- { ${fields.map(([key, value]) => `${key}: ${flow(value)}`).join(', ')} }\n`
  const before = text.slice(0, last.end)
  return checked(`${before}${before.endsWith('\n') ? '' : '\n'}${line}${text.slice(last.end)}`, file)
}

/**
 * Takes a host out. Db hosts of its DC that would get another rack by that say from now on which one they have: Cassandra
 * does not start in another. InventoryError: the rest can't be right without it.
 */
export function withoutHost(text: string, name: string, file: string): Edited {
  const racks = racksOf(checked(text, file).inventory)
  const gone = itemsOf(text, file).find((one) => one.name === name)
  if (gone === undefined) throw new InventoryError([`${file}: hosts: there is no host "${name}"`])
  let left = text.slice(0, gone.start) + text.slice(gone.end)
  for (const [host, rack] of racks) {
    if (host === name || racksOf(checked(left, file).inventory).get(host) === rack) continue
    const item = itemsOf(left, file).find((one) => one.name === host)
    if (item === undefined) throw unreadable(file)
    const [at, word] = item.isFlow
      ? [item.valueEnd - 1, `, rack: ${rack} `]
      : [item.end, `\n${item.indent}  rack: ${rack}\n`]
    left = left.slice(0, at).trimEnd() + word + left.slice(at)
  }
  return checked(left, file)
}

/** Whole or not at all. */
export function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

/** Where a host stands in the text. */
interface Item {
  readonly name: string
  /** Of its lines, with all that is behind it in the last one. */
  readonly start: number
  readonly end: number
  /** Before its dash. */
  readonly indent: string
  readonly isFlow: boolean
  readonly valueEnd: number
}

function itemsOf(text: string, file: string): Item[] {
  const document = parseDocument(text)
  const hosts: unknown = document.get('hosts')
  if (document.errors.length > 0 || !isSeq<YAMLMap>(hosts)) throw unreadable(file)
  return hosts.items.map((node) => {
    if (!isMap(node) || node.range == null) throw unreadable(file)
    const [from, to] = node.range
    const start = text.lastIndexOf('\n', from - 1) + 1
    const indent = /^( *)- +$/.exec(text.slice(start, from))?.[1]
    if (indent === undefined) throw unreadable(file)
    const valueEnd = from + text.slice(from, to).trimEnd().length
    const newline = text.indexOf('\n', valueEnd)
    return {
      name: String(node.get('name')),
      start,
      end: newline === -1 ? text.length : newline + 1,
      indent,
      isFlow: node.flow === true,
      valueEnd,
    }
  })
}

function unreadable(file: string): InventoryError {
  return new InventoryError([`${file}: hosts: expected a list with a host a line, as \`  - { name: ... }\``])
}

function checked(text: string, file: string): Edited {
  return { text, inventory: checkInventory(parse(text), file) }
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((one) => flow(one)).join(', ')}]`
  return typeof value === 'string' && !/^[a-z][\w.-]*$|^\d+(\.\d+){3}$/i.test(value)
    ? JSON.stringify(value)
    : String(value)
}
