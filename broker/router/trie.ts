import { Subscription } from './subscription.ts'
import { SharedGroup } from './shared-group.ts'

type Entry = Subscription | SharedGroup
type Slot = null | Entry | Set<Entry>

class Node {
  /** The level's name. */
  readonly name: string
  /** A lone child is held directly: below a device's own level that is the rule, and a map would be most of what it costs. */
  #children: Node | Map<string, Node> | null = null
  plus: Node | null = null
  hash: Node | null = null
  slot: Slot = null

  constructor(name: string) {
    this.name = name
  }

  get empty(): boolean {
    return this.slot === null && this.#children === null && this.plus === null && this.hash === null
  }

  child(name: string): Node | undefined {
    const children = this.#children
    if (children === null) return undefined
    if (children instanceof Node) return children.name === name ? children : undefined
    return children.get(name)
  }

  add(child: Node): void {
    const children = this.#children
    if (children === null) this.#children = child
    else if (children instanceof Node) {
      this.#children = new Map([
        [children.name, children],
        [child.name, child],
      ])
    } else children.set(child.name, child)
  }

  remove(child: Node): void {
    const children = this.#children
    if (children === child) this.#children = null
    else if (children instanceof Map) {
      children.delete(child.name)
      if (children.size === 0) this.#children = null
    }
  }
}

/**
 * Subscriptions by filter. A filter without wildcards is one entry in a map, a lone subscriber is held directly:
 * that is what a fleet's devices are. Wildcards live in a tree of levels.
 */
export class Trie {
  /** Levels of the tree. */
  levels = 0
  readonly #exact = new Map<string, Slot>()
  readonly #root = new Node('')

  add(filter: string, entry: Entry): void {
    if (isExact(filter)) {
      this.#exact.set(filter, add(this.#exact.get(filter) ?? null, entry))
      return
    }
    const node = this.#walk(filter)
    node.slot = add(node.slot, entry)
  }

  remove(filter: string, entry: Entry): void {
    if (isExact(filter)) {
      const left = remove(this.#exact.get(filter) ?? null, entry)
      if (left === null) this.#exact.delete(filter)
      else this.#exact.set(filter, left)
      return
    }
    this.levels -= prune(this.#root, filter.split('/'), 0, entry)
  }

  /** The shared group of that name and filter, if there is one. */
  group(name: string, filter: string): SharedGroup | undefined {
    const slot = isExact(filter) ? (this.#exact.get(filter) ?? null) : this.#find(filter)
    if (slot instanceof SharedGroup) return slot.name === name ? slot : undefined
    if (slot instanceof Set) {
      for (const e of slot) if (e instanceof SharedGroup && e.name === name) return e
    }
    return undefined
  }

  /** Everything that matches a topic name (4.7). */
  match(topic: string, subscriptions: Subscription[], groups: SharedGroup[]): void {
    take(this.#exact.get(topic) ?? null, subscriptions, groups)
    const root = this.#root
    if (root.empty) return
    // [MQTT-4.7.2-1] a filter that starts with a wildcard does not match a topic that starts with $
    const hidden = topic.charCodeAt(0) === 36
    collect(root, topic.split('/'), 0, hidden, subscriptions, groups)
  }

  #walk(filter: string): Node {
    let node = this.#root
    for (const level of filter.split('/')) {
      if (level === '+') node = node.plus ??= this.#grow(level)
      else if (level === '#') node = node.hash ??= this.#grow(level)
      else {
        let next = node.child(level)
        if (next === undefined) node.add((next = this.#grow(level)))
        node = next
      }
    }
    return node
  }

  #grow(name: string): Node {
    this.levels++
    return new Node(name)
  }

  #find(filter: string): Slot {
    let node: Node | null | undefined = this.#root
    for (const level of filter.split('/')) {
      if (level === '+') node = node.plus
      else if (level === '#') node = node.hash
      else node = node.child(level)
      if (node === null || node === undefined) return null
    }
    return node.slot
  }
}

export function isExact(filter: string): boolean {
  return !filter.includes('+') && !filter.includes('#')
}

function add(slot: Slot, entry: Entry): Slot {
  if (slot === null) return entry
  if (slot instanceof Set) return slot.add(entry)
  return new Set([slot, entry])
}

function remove(slot: Slot, entry: Entry): Slot {
  if (slot === entry) return null
  if (!(slot instanceof Set)) return slot
  slot.delete(entry)
  if (slot.size > 1) return slot
  const [last] = slot
  return last
}

/** Takes the entry out, and levels that nothing is left in; returns how many. */
function prune(node: Node, levels: readonly string[], i: number, entry: Entry): number {
  if (i === levels.length) {
    node.slot = remove(node.slot, entry)
    return 0
  }
  const level = levels[i]
  const next = level === '+' ? node.plus : level === '#' ? node.hash : node.child(level)
  if (next === null || next === undefined) return 0
  const pruned = prune(next, levels, i + 1, entry)
  if (!next.empty) return pruned
  if (level === '+') node.plus = null
  else if (level === '#') node.hash = null
  else node.remove(next)
  return pruned + 1
}

function take(slot: Slot, subscriptions: Subscription[], groups: SharedGroup[]): void {
  if (slot === null) return
  if (slot instanceof Subscription) subscriptions.push(slot)
  else if (slot instanceof SharedGroup) groups.push(slot)
  else for (const entry of slot) take(entry, subscriptions, groups)
}

function collect(
  node: Node,
  levels: readonly string[],
  i: number,
  hidden: boolean,
  subscriptions: Subscription[],
  groups: SharedGroup[],
): void {
  // '#' also matches the parent level (4.7.1.2)
  if (node.hash !== null && !hidden) take(node.hash.slot, subscriptions, groups)
  if (i === levels.length) {
    if (i > 0) take(node.slot, subscriptions, groups)
    return
  }
  const next = node.child(levels[i])
  if (next !== undefined) collect(next, levels, i + 1, false, subscriptions, groups)
  if (node.plus !== null && !hidden) collect(node.plus, levels, i + 1, false, subscriptions, groups)
}
