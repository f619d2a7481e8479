import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import { writeWhole } from './inventory-file.ts'

/** Adds a host to what `cinque ssh config` has written: reached as the others are, believed if the same authority has signed it. */
export function addSshName(config: string, { name, address }: Pick<Host, 'name' | 'address'>): void {
  const text = readFileSync(config, 'utf8')
  const before = blockOf(text, name)
  const jump = /^ {2}ProxyJump \S+$/m.exec(text)?.[0]
  const block = [
    `Host ${name}`,
    `  HostName ${address}`,
    `  HostKeyAlias ${name}`,
    ...(jump === undefined ? [] : [jump]),
  ]
  const mine = `${block.join('\n')}\n`
  const all = text.lastIndexOf('\nHost *\n') + 1
  const known =
    before === null ? text.slice(0, all) + mine + text.slice(all) : text.replace(before, () => mine)
  if (known !== text) writeWhole(config, known)
  changeKnown(config, (names) => (names.includes(name) ? names : [...names, name]))
}

export function dropSshName(config: string, name: string): void {
  const text = readFileSync(config, 'utf8')
  const block = blockOf(text, name)
  if (block !== null) writeWhole(config, text.replace(block, ''))
  changeKnown(config, (names) => names.filter((one) => one !== name))
}

function blockOf(text: string, name: string): string | null {
  return new RegExp(String.raw`^Host ${name}\n(?: .*\n)*`, 'm').exec(text)?.[0] ?? null
}

/** Names that an authority vouches for. */
function changeKnown(config: string, change: (names: readonly string[]) => readonly string[]): void {
  const file = join(dirname(config), 'known_hosts')
  if (!existsSync(file)) return
  const text = readFileSync(file, 'utf8')
  const changed = text.replaceAll(
    /^(@cert-authority )(\S+)( )/gm,
    (_, head: string, names: string, tail: string) => `${head}${change(names.split(',')).join(',')}${tail}`,
  )
  if (changed !== text) writeWhole(file, changed)
}
