import mqtt, { type MqttClient } from 'mqtt'
import type { Cell, CellDc } from '#scripts/cell/cell.ts'
import { pause } from '#scripts/pause.ts'
import { ownTime } from '../../bench/machine.ts'

const EVERY_MS = 1000
const PATIENCE_MS = 5000

/**
 * Uses a DC once a second as its devices and users do: publishes to a persistent session of its own and waits for PUBACK
 * and the message, and reads by REST. Notes for how long it did not answer.
 */
export class Probe {
  readonly dc: CellDc
  /** Milliseconds of each second's round trip that ended in time. */
  readonly times: number[] = []
  /** What did not work, with the second. */
  readonly failures: string[] = []
  readonly #token: string
  readonly #client: MqttClient
  readonly #stopped = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #lastGood = ownTime()
  #longest = 0
  #n = 0
  #told = ''
  #inARow = 0

  constructor({ token }: Cell, dc: CellDc) {
    this.dc = dc
    this.#token = token
    this.#client = mqtt.connect(dc.mqtt, {
      clientId: `probe-${dc.name}`,
      protocolVersion: 5,
      clean: false,
      reconnectPeriod: 500,
      // A DC that is starting refuses for a while.
      reconnectOnConnackError: true,
      keepalive: 5,
      properties: { sessionExpiryInterval: 3600 },
    })
    // Tries again by itself; what it was told last explains why it is not connected.
    this.#client.on('error', (error) => (this.#told = error.message))
    this.#client.on('disconnect', ({ reasonCode }) => (this.#told = `DISCONNECT ${reasonCode}`))
    this.#client.on('close', () => (this.#told += ', closed'))
    this.#client.on('reconnect', () => (this.#told = 'connecting'))
  }

  async start(): Promise<void> {
    await this.#subscribe()
    this.#lastGood = ownTime()
    this.#running = this.#run()
  }

  /** Longest time without an answer since the last `reset`, milliseconds of the machine's own time. */
  get longest(): number {
    return Math.max(this.#longest, ownTime() - this.#lastGood)
  }

  /** Round trips without a failure, up to now. */
  get inARow(): number {
    return this.#inARow
  }

  /** What was counts no more. */
  reset(): void {
    this.#longest = 0
    this.#lastGood = ownTime()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#client.endAsync(true)
    await this.#running
  }

  /** Until the DC takes it: one that is starting ends connections. */
  async #subscribe(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      try {
        await this.#client.subscribeAsync(`probe/${this.dc.name}`, { qos: 1 })
        return
      } catch (error) {
        this.failures.push(`${this.dc.name} SUBSCRIBE: ${String(error)}`)
        await pause(EVERY_MS, signal)
      }
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      const from = performance.now()
      try {
        await Promise.all([this.#roundTrip(), this.#read()])
        this.times.push(performance.now() - from)
        const now = ownTime()
        this.#longest = Math.max(this.#longest, now - this.#lastGood)
        this.#lastGood = now
        this.#inARow++
      } catch (error) {
        this.#inARow = 0
        this.failures.push(`${this.dc.name} ${new Date().toISOString().slice(11, 19)} ${String(error)}`)
      }
      await pause(Math.max(0, EVERY_MS - (performance.now() - from)), signal)
    }
  }

  async #roundTrip(): Promise<void> {
    const payload = String(++this.#n)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const seen = (_topic: string, message: Buffer): void => {
      if (message.toString() === payload) resolve()
    }
    const timer = setTimeout(() => reject(new Error('no message')), PATIENCE_MS)
    this.#client.on('message', seen)
    try {
      if (!this.#client.connected) throw new Error(`not connected: ${this.#told}`)
      await Promise.all([this.#publish(payload), promise])
    } finally {
      clearTimeout(timer)
      this.#client.off('message', seen)
      promise.catch(() => undefined)
    }
  }

  #publish(payload: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no PUBACK')), PATIENCE_MS)
      this.#client.publish(`probe/${this.dc.name}`, payload, { qos: 1 }, (error) => {
        clearTimeout(timer)
        if (error) reject(error)
        else resolve()
      })
    })
  }

  async #read(): Promise<void> {
    const headers = { authorization: `Bearer ${this.#token}` }
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const response = await fetch(`${this.dc.http}/v1/devices?limit=1`, { headers, signal })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`REST ${response.status}`)
  }
}
