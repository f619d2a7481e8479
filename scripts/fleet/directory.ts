import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { CliError } from '#scripts/output.ts'
import { type Debian, debians } from './image.ts'

const debianFile = 'debian'
const valuesFile = 'values.yaml'
/** Where a fleet of this machine is. */
export const defaultFleet = '/var/lib/cinque-fleet'

/** Keys that nothing reads any more, and what says the same now. */
const former = new Map([
  ['profile::gdnsd::enabled', 'profile::gdnsd::hosts'],
  ['profile::prometheus::enabled', 'profile::prometheus::hosts'],
])

/** Hiera's values of a file, if all of them say something. CliError: what one asks for would silently be gone. */
function currentValues(values: Readonly<Record<string, unknown>>, file: string): Record<string, unknown> {
  for (const [key, now] of former) {
    if (!(key in values)) continue
    throw new CliError(`${file}: ${key} is not read any more: hosts are named instead`, {
      exitCode: 2,
      remedy: `Write instead, with names of checkers: ${now}: [dc01-check1]. Or leave it out for none.`,
    })
  }
  return { ...values }
}

/** Everything that a test fleet is: its inventory, keys, and a directory for each host. */
export class FleetDirectory {
  readonly path: string

  constructor(path: string) {
    this.path = resolve(path)
  }

  get inventoryFile(): string {
    return join(this.path, 'inventory.yaml')
  }

  get exists(): boolean {
    return existsSync(this.inventoryFile)
  }

  /** CliError: there is no fleet. */
  inventory(): Inventory {
    if (this.exists) return loadInventory(this.inventoryFile)
    throw new CliError(`there is no fleet in ${this.path}`, {
      remedy: 'Start one: cinque fleet up; or name another directory: --data DIR.',
    })
  }

  /** Hiera's values for all of its hosts, as they were brought to them last; none without a file. */
  local(): Record<string, unknown> {
    return this.#values('local.yaml')
  }

  /** Those of them that a person has asked for. */
  values(): Record<string, unknown> {
    return this.#values(valuesFile)
  }

  #values(name: string): Record<string, unknown> {
    const file = join(this.path, name)
    if (!existsSync(file)) return {}
    const values: unknown = parse(readFileSync(file, 'utf8')) ?? {}
    const checked = z.record(z.string(), z.unknown()).safeParse(values)
    if (checked.success) return currentValues(checked.data, file)
    throw new CliError(`${file}: expected keys with values`, { exitCode: 2 })
  }

  /** What its hosts have. */
  get debian(): Debian {
    const file = join(this.path, debianFile)
    const kept = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 12
    return debians.find((one) => one === kept) ?? 12
  }

  create(inventory: Inventory, debian: Debian = 12, values: Readonly<Record<string, unknown>> = {}): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
    writeFileSync(join(this.path, debianFile), `${debian}\n`)
    if (Object.keys(values).length > 0) writeFileSync(join(this.path, valuesFile), stringify(values))
    writeFileSync(this.inventoryFile, stringify(inventory))
  }

  /** A directory in it, made if it is not there. */
  make(...parts: string[]): string {
    const path = join(this.path, ...parts)
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return path
  }

  /** A text of its own for the whole life of the fleet. */
  kept(name: string, fresh: () => string): string {
    const file = join(this.path, name)
    if (existsSync(file)) return readFileSync(file, 'utf8')
    const text = fresh()
    writeFileSync(file, text, { mode: 0o600 })
    return text
  }
}
