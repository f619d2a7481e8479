import { buildRoute, type Route, type Target, target } from './route.ts'
import type { Subscription } from './subscription.ts'
import { SharedGroup } from './shared-group.ts'
import { toldTopic } from '../topics.ts'
import { topicLevels } from '../packets/topic.ts'
import { isExact, Trie } from './trie.ts'

/** Routes remembered at a time; beyond that all are forgotten, which costs a match per topic in use. */
const CACHE = 65_536
/** Characters of their topics. */
const CACHE_CHARACTERS = 8_388_608
/** Levels of filters with wildcards that an organisation may have, some 300 bytes each. */
const LEVELS = 2_097_152

/** The subscriptions of one organisation, and for each topic in use the list of its receivers. */
export class Router {
  /** Subscriptions held, shared ones included. */
  count = 0
  /** Of them shared ones. */
  shared = 0
  readonly #trie = new Trie()
  readonly #routes = new Map<string, Route>()
  #characters = 0
  readonly #maxLevels: number
  /** Is told of subscriptions that come and go. */
  observer: ((subscription: Subscription, added: boolean) => void) | null = null

  constructor(maxLevels = LEVELS) {
    this.#maxLevels = maxLevels
  }

  add(subscription: Subscription): void {
    this.count++
    if (subscription.group === null) this.#trie.add(subscription.match, subscription)
    else {
      let group = this.#trie.group(subscription.group, subscription.match)
      if (group === undefined) {
        group = new SharedGroup(subscription.group, subscription.match)
        this.#trie.add(subscription.match, group)
      }
      group.members.push(subscription)
      this.shared++
    }
    this.changed(subscription.match)
    this.observer?.(subscription, true)
  }

  remove(subscription: Subscription): void {
    this.count--
    if (subscription.group === null) this.#trie.remove(subscription.match, subscription)
    else {
      const group = this.#trie.group(subscription.group, subscription.match)
      const at = group?.members.indexOf(subscription) ?? -1
      if (group !== undefined && at >= 0) {
        group.members.splice(at, 1)
        this.shared--
        if (group.members.length === 0) this.#trie.remove(subscription.match, group)
      }
    }
    this.changed(subscription.match)
    this.observer?.(subscription, false)
  }

  /** The shared group of that name and filter, while it has members. */
  group(name: string, match: string): SharedGroup | undefined {
    return this.#trie.group(name, match)
  }

  /** Forgets the routes that a change of this filter may concern. */
  changed(filter: string): void {
    if (isExact(filter)) {
      const route = this.#routes.get(filter)
      if (route !== undefined) {
        route.invalidate()
        this.#routes.delete(filter)
        this.#characters -= filter.length
      }
    } else this.#forgetAll()
  }

  /** Whether there is room for one more filter. */
  takes(filter: string): boolean {
    return isExact(filter) || this.#trie.levels + topicLevels(filter) <= this.#maxLevels
  }

  /** Who gets this topic's messages. */
  route(topic: string): Route {
    let route = this.#routes.get(topic)
    if (route === undefined) {
      const subscriptions: Subscription[] = []
      const groups: SharedGroup[] = []
      this.#trie.match(topic, subscriptions, groups)
      route = buildRoute(subscriptions, groups, (s) => toldTopic(topic, s.session.deviceId))
      this.#characters += topic.length
      if (this.#routes.size >= CACHE || this.#characters > CACHE_CHARACTERS) {
        this.#forgetAll()
        this.#characters = topic.length
      }
      this.#routes.set(topic, route)
    }
    return route
  }

  #forgetAll(): void {
    for (const route of this.#routes.values()) route.invalidate()
    this.#routes.clear()
    this.#characters = 0
  }
}

/** The target of one member of a shared group for one message. */
export function memberTarget(member: Subscription, topic: string): Target {
  return target([member], (s) => toldTopic(topic, s.session.deviceId))
}
