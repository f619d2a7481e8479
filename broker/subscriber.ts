import { Subscription } from './router/subscription.ts'

/** The subscriptions of one session. Most devices have one: a map for it alone would be a tenth of what a connection costs. */
export abstract class Subscriber {
  #subscriptions: Subscription | Map<string, Subscription> | null = null

  get subscriptionCount(): number {
    const held = this.#subscriptions
    return held === null ? 0 : held instanceof Subscription ? 1 : held.size
  }

  subscription(filter: string): Subscription | undefined {
    const held = this.#subscriptions
    if (held instanceof Subscription) return held.filter === filter ? held : undefined
    return held?.get(filter)
  }

  *subscriptions(): Iterable<Subscription> {
    const held = this.#subscriptions
    if (held instanceof Subscription) yield held
    else if (held !== null) yield* held.values()
  }

  addSubscription(added: Subscription): void {
    const held = this.#subscriptions
    if (held === null) this.#subscriptions = added
    else if (held instanceof Subscription) {
      this.#subscriptions = new Map([
        [held.filter, held],
        [added.filter, added],
      ])
    } else held.set(added.filter, added)
  }

  removeSubscription(removed: Subscription): void {
    const held = this.#subscriptions
    if (held === removed) this.#subscriptions = null
    else if (held instanceof Map) held.delete(removed.filter)
  }
}
