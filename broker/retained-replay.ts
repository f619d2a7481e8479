import type { Connection } from './connection.ts'
import { deliver } from './deliver.ts'
import type { Message } from './message.ts'
import { whenWritten } from './output.ts'
import { noProperties } from './packets/properties.ts'
import type { Target } from './router/route.ts'
import type { Subscription } from './router/subscription.ts'
import type { Session } from './session.ts'
import { toldTopic } from './topics.ts'

/** How much is sent between two looks at the client's backlog. */
const CHECK_BYTES = 16_384

/**
 * Sends retained messages to a connection, one subscription after the other and as fast as the client takes them: the
 * topics of the next subscription are looked up when those of the last one have left, so that a client that
 * subscribes to everything again and again costs no more than once.
 */
export class RetainedReplay {
  readonly #connection: Connection
  readonly #session: Session
  /** In order, each at most once. */
  readonly #waiting = new Set<Subscription>()
  #messages: Message[] = []
  #next = 0
  /** Bytes sent since it was last seen whether there is room. */
  #unchecked = CHECK_BYTES + 1
  #target: Target | null = null
  #subscription: Subscription | null = null
  /** It goes on by itself when there is room. */
  #paused = false

  constructor(connection: Connection, session: Session) {
    this.#connection = connection
    this.#session = session
  }

  /** Sends what the new subscription matches, behind what waits already. */
  add(subscription: Subscription): void {
    this.#waiting.add(subscription)
    if (!this.#paused) this.#run()
  }

  #run(): void {
    const session = this.#session
    const connection = this.#connection
    const resumed = this.#paused
    this.#paused = false
    while (session.connection === connection) {
      if (this.#next === this.#messages.length) {
        if (this.#start()) continue
        break
      }
      // A queue may be as short as one message, so at QoS 1 and 2 there is no going on unseen.
      if (this.#unchecked > CHECK_BYTES || (this.#target as Target).qos > 0) {
        if (!this.#hasRoom()) {
          this.#paused = true
          return
        }
        this.#unchecked = 0
      }
      const message = this.#messages[this.#next++]
      this.#unchecked += message.payload.length + 64
      if (message.properties !== noProperties) this.#unchecked += CHECK_BYTES
      const s = this.#subscription as Subscription
      if (resumed && !this.#stillDue(s, message)) continue
      const target = this.#target as Target
      const topic = s.mapped ? toldTopic(message.topic, session.deviceId) : null
      deliver(topic === null ? target : ownTarget({ ...target, topic }), message, null)
    }
    // Nothing is left to do here: a connection that is done with it does not hold it.
    this.#waiting.clear()
    connection.replay = null
  }

  /** Begins with the next subscription; false: there is none. */
  #start(): boolean {
    this.#messages = []
    this.#next = 0
    const [s] = this.#waiting
    if (s === undefined) return false
    this.#waiting.delete(s)
    const session = this.#session
    if (session.subscription(s.filter) !== s) return true
    this.#subscription = s
    this.#messages = session.space.retained.match(s.match)
    this.#target = ownTarget({
      session,
      qos: s.qos,
      retainAsPublished: true, // [MQTT-3.3.1-8]
      identifiers: s.identifier === 0 ? null : [s.identifier],
      topic: null,
      plain: false,
    })
    return true
  }

  /** While it waited it may have expired, the client unsubscribed, or a newer message of the topic have reached it. */
  #stillDue(s: Subscription, message: Message): boolean {
    const session = this.#session
    if (message.expiresAt !== 0 && message.expiresAt <= this.#connection.broker.now) return false
    return session.subscription(s.filter) === s && session.space.retained.get(message.topic) === message
  }

  #hasRoom(): boolean {
    const connection = this.#connection
    const { broker } = connection
    const run = (): void => this.#run()
    if (connection.backlog > connection.limits.high / 4) whenWritten(connection.stream, run)
    else if (this.#session.outbox.pressing || this.#session.space.disk.behind)
      broker.wheel.after(0, { due: run })
    else return true
    return false
  }
}

function ownTarget(target: Omit<Target, 'own'>): Target {
  const made = { ...target, own: null as Target | null }
  made.own = made
  return made
}
