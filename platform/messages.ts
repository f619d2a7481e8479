/** A message that the platform sends to a device, at QoS 1. */
export interface DeviceMessage {
  readonly org: string
  readonly topic: string
  readonly payload: Uint8Array
  /** Milliseconds since 1970 after which it is not sent any more; absent: never. */
  readonly expiresAt?: number | undefined
  /** Where an answer is expected (MQTT 5). A message that has it is followed on its way to a device. */
  readonly responseTopic?: string | undefined
  /** Comes back with an MQTT 5 answer. */
  readonly correlation?: string | undefined
}

/** Publishes to whoever is subscribed; resolves when that is promised. */
export type Publish = (message: DeviceMessage) => Promise<void>

/** The platform's way to the broker, which is composed after it. */
export class Outlet {
  #publish: Publish | null = null

  open(publish: Publish): void {
    this.#publish = publish
  }

  /** Resolves when it is promised; false: this process has no broker. */
  async publish(message: DeviceMessage): Promise<boolean> {
    if (this.#publish === null) return false
    await this.#publish(message)
    return true
  }
}

/** Hears from the broker what becomes of followed messages. All calls return at once. */
export interface Follower {
  /**
   * A message that has waited on disk is about to be sent to a device: calls `then` with whether it still should. In order
   * per device.
   */
  check(org: string, device: string, correlation: string, then: (send: boolean) => void): void
  /** It was written to a connection of the device. */
  sent(org: string, device: string, correlation: string): void
  /** The device has acknowledged it (PUBACK); `refused`: with a reason that says that it did not take it. */
  acknowledged(org: string, device: string, correlation: string, refused: boolean): void
  /**
   * A session of the device has subscribed; the filter as it is routed, `v1/devices/{id}/...`. `fresh`: what was published before
   * was not kept for this subscription.
   */
  subscribed(org: string, device: string, filter: string, fresh: boolean): void
}
