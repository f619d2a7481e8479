import { newId } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { insert, putIf } from './conditional.ts'
import { deviceGroup } from './tables.ts'

/** A group of devices; what is granted for it holds for the groups inside it as well. */
export interface Group {
  readonly id: string
  readonly name: string
  readonly description: string
  /** The group that it is in. */
  readonly parent: string | null
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Counts its changes. */
  readonly version: number
}

export const groupId = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/
/** All groups of an organisation are read at once. */
const maxGroups = 1000
/** With those that were deleted, whose ids are not given again. */
const maxRows = 10_000
/** Groups around a group. */
const maxDepth = 8
/** By then a change made by another process is seen. */
const maxAgeMs = 5000
const maxCached = 1000

interface Tree {
  readonly groups: ReadonlyMap<string, Group>
  readonly rows: number
  readonly readAt: number
}

/**
 * The groups of organisations. All groups of an organisation are kept in memory for 5 s once read; changes made by
 * this process are seen at once. Everything is durable when a promise resolves; changes need a majority of all
 * datacenters, reads the own one.
 */
export class Groups {
  readonly #trees = new Map<string, Promise<Tree>>()
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** PlatformError `group_exists`, `group_not_found` (its parent), `limit_reached` or `invalid_field`. */
  async create(
    org: string,
    input: {
      id?: string | undefined
      name?: string | undefined
      description?: string | undefined
      parent?: string | null | undefined
    },
  ): Promise<Group> {
    const id = input.id ?? newGroupId()
    if (!groupId.test(id)) {
      throw new PlatformError(
        'invalid_field',
        'must be 1 to 63 of A-Z, a-z, 0-9, _ and -, a letter or digit first',
        'id',
      )
    }
    const tree = await this.#read(org)
    if (tree.groups.size >= maxGroups || tree.rows >= maxRows) {
      throw new PlatformError('limit_reached', `an organisation may have ${maxGroups} groups`)
    }
    const parent = input.parent ?? undefined
    checkParent(tree.groups, id, parent)
    const now = this.#clock.now()
    const row = {
      org,
      id,
      name: input.name ?? id,
      description: input.description,
      parent,
      created_at: now,
      version: now * 1024,
    }
    const made = await insert(this.#store, deviceGroup, row, 'version')
    this.#trees.delete(org)
    if (!made) {
      throw new PlatformError('group_exists', `a group with the id "${id}" exists, or existed once`, 'id')
    }
    return record(row)
  }

  /** PlatformError `group_not_found`. */
  async get(org: string, id: string): Promise<Group> {
    const row = await this.#store.get(deviceGroup, { org, id })
    if (row === undefined || row.deleted_at !== undefined) throw groupNotFound(id)
    return record(row)
  }

  /** All of them, in order of their ids. */
  async list(org: string): Promise<Group[]> {
    return Array.from((await this.#read(org)).groups.values())
  }

  /**
   * `expected`: only if it has this version. PlatformError `group_not_found`, `conflict`, or `invalid_field` when it
   * would come into itself.
   */
  async update(
    org: string,
    id: string,
    change: {
      name?: string | undefined
      description?: string | undefined
      parent?: string | null | undefined
    },
    expected?: number,
  ): Promise<Group> {
    if (typeof change.parent === 'string') checkParent((await this.#read(org)).groups, id, change.parent)
    return this.#change(org, id, expected, (row) => ({
      ...row,
      name: change.name ?? row.name,
      description: change.description ?? row.description,
      parent: change.parent === undefined ? row.parent : (change.parent ?? undefined),
    }))
  }

  /** Its devices stay, and are not in it any more. PlatformError `group_not_empty` while there are groups inside it. */
  async delete(org: string, id: string, expected?: number): Promise<void> {
    const { groups } = await this.#read(org)
    for (const { id: inner, parent } of groups.values()) {
      if (parent === id)
        throw new PlatformError('group_not_empty', `group "${id}" has groups inside it, as "${inner}"`)
    }
    await this.#change(org, id, expected, (row) => ({ ...row, deleted_at: this.#clock.now() }))
  }

  /** These groups and all that are around them; those that are not there any more are left out. */
  async withAncestors(org: string, ids: readonly string[]): Promise<string[]> {
    return ids.length === 0 ? [] : ancestorsOf((await this.#tree(org)).groups, ids)
  }

  /** Those of these that exist. */
  async existing(org: string, ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return []
    const { groups } = await this.#tree(org)
    return ids.filter((id) => groups.has(id))
  }

  /** The group and all inside it. PlatformError `group_not_found`. */
  async withDescendants(org: string, id: string): Promise<Set<string>> {
    const { groups } = await this.#tree(org)
    if (!groups.has(id)) throw groupNotFound(id)
    const inside = new Set([id])
    for (let depth = 0, size = 0; depth < maxDepth && size < inside.size; depth++) {
      size = inside.size
      for (const group of groups.values())
        if (group.parent !== null && inside.has(group.parent)) inside.add(group.id)
    }
    return inside
  }

  /** PlatformError `group_not_found` unless all exist now. */
  async check(org: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    let { groups } = await this.#tree(org)
    if (ids.some((id) => !groups.has(id))) ({ groups } = await this.#read(org))
    for (const id of ids) if (!groups.has(id)) throw groupNotFound(id)
  }

  /** What was read may be old. */
  doubt(): void {
    this.#trees.clear()
  }

  async #change(
    org: string,
    id: string,
    expected: number | undefined,
    change: (row: RowOf<typeof deviceGroup>) => RowOf<typeof deviceGroup>,
  ): Promise<Group> {
    const row = await this.#store.get(deviceGroup, { org, id })
    if (row === undefined || row.deleted_at !== undefined) throw groupNotFound(id)
    const next = { ...change(row), version: (row.version ?? 0) + 1 }
    const done =
      (expected ?? row.version) === row.version &&
      (await putIf(this.#store, deviceGroup, next, 'version', row.version))
    this.#trees.delete(org)
    if (!done) {
      throw new PlatformError('conflict', `group "${id}" was changed by somebody else meanwhile; try again`)
    }
    return record(next)
  }

  async #tree(org: string): Promise<Tree> {
    const kept = await this.#trees.get(org)?.catch(() => undefined)
    return kept !== undefined && this.#clock.now() - kept.readAt < maxAgeMs ? kept : this.#read(org)
  }

  #read(org: string): Promise<Tree> {
    const reading = this.#store.range(deviceGroup, { org }, { limit: maxRows }).then((rows) => {
      const live = rows.filter((row) => row.deleted_at === undefined)
      const groups = new Map(live.map((row) => [row.id, record(row)]))
      return { groups, rows: rows.length, readAt: this.#clock.now() }
    })
    if (this.#trees.size >= maxCached) this.#trees.clear()
    this.#trees.set(org, reading)
    return reading
  }
}

function checkParent(groups: ReadonlyMap<string, Group>, id: string, parent: string | undefined): void {
  if (parent === undefined) return
  if (!groups.has(parent)) throw groupNotFound(parent)
  const around = ancestorsOf(groups, [parent])
  if (parent === id || around.includes(id)) {
    throw new PlatformError('invalid_field', `group "${parent}" is "${id}" itself or inside it`, 'parent')
  }
  if (around.length >= maxDepth) {
    throw new PlatformError('invalid_field', `groups may be ${maxDepth} deep`, 'parent')
  }
}

/** Ends also where two changes at a time have made a ring. */
function ancestorsOf(groups: ReadonlyMap<string, Group>, ids: readonly string[]): string[] {
  const all = new Set<string>()
  for (const id of ids) {
    let group = groups.get(id)
    while (group !== undefined && !all.has(group.id)) {
      all.add(group.id)
      group = group.parent === null ? undefined : groups.get(group.parent)
    }
  }
  return Array.from(all)
}

function newGroupId(): string {
  return `g${newId().replaceAll(/[_-]/g, '0')}`
}

function record(row: RowOf<typeof deviceGroup>): Group {
  return {
    id: row.id,
    name: row.name ?? row.id,
    description: row.description ?? '',
    parent: row.parent ?? null,
    createdAt: row.created_at ?? 0,
    version: row.version ?? 0,
  }
}

function groupNotFound(id: string): PlatformError {
  return new PlatformError('group_not_found', `no group has the id "${id}"`)
}
