import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { nkeys } from '@nats-io/transport-node'
import { pino } from 'pino'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { natsConfig } from '#platform/nats/server/config.ts'
import { type NatsServer, startNatsServer } from '#platform/nats/server/process.ts'
import { makeCertificates } from '#platform/pki/certificates.ts'
import { prefix } from '#scripts/cell/launch.ts'
import { Wan } from '#scripts/cell/wan/wan.ts'
import { onEarlyExit } from '../clean-up.ts'
import type { MemberTask, MemberWord } from './member.ts'

/** Addresses 127.NET.dc.host, apart from those of cells of `cinque dev`. */
const NET = 76
const MQTT = 1883
const CONTACT_MS = 20_000
const WORD_MS = 60_000

/** A byte there and back, 50 times; prints the median in milliseconds. */
const ECHO = `require('net').createServer((s) => s.setNoDelay().pipe(s)).listen(5555, process.argv[1], () => console.log('up'))`
const ASK = `
const times = []
const s = require('net').connect(5555, process.argv[1]).setNoDelay()
let from = 0
const ask = () => { from = performance.now(); s.write('x') }
s.on('connect', ask).on('data', () => {
  if (times.push(performance.now() - from) < 50) return setTimeout(ask, 10)
  console.log(times.sort((a, b) => a - b)[25])
  process.exit()
})`

export interface GroundOptions {
  readonly directory: string
  /** DC of each host; a host has one nats-server and one broker. */
  readonly hosts: readonly number[]
  /** One-way delay between any two DCs, milliseconds. */
  readonly delayMs?: number
  /** All brokers use the first host's nats-server. */
  readonly oneServer?: boolean
}

/** Brokers and nats-servers, each a process of its own, without Cassandra: brokers keep sessions in memory. */
export class Ground {
  /** `127.76.1.1:1883` of each broker. */
  readonly brokers: string[] = []
  /** Of brokers and nats-servers. */
  readonly pids: number[] = []
  readonly #servers: NatsServer[] = []
  readonly #members: ChildProcess[] = []
  #wan: Wan | null = null

  /** Rejects with an Error of one line; nothing is left running then. */
  static async start(options: GroundOptions): Promise<Ground> {
    const ground = new Ground()
    const early = onEarlyExit(() => ground.#kill())
    try {
      await ground.#start(options)
      return ground
    } catch (error) {
      await ground.stop()
      throw error
    } finally {
      early.cancel()
    }
  }

  /** Milliseconds that a byte takes over the network alone from the first DC to that one. */
  async oneWayMs(dc: number): Promise<number> {
    const group = (of: number): string[] => prefix(this.#wan?.groupOf(of))
    const at = `127.${NET}.${dc}.200`
    const [listen, ...listenArgs] = [...group(dc), process.execPath, '-e', ECHO, at]
    const echo = spawn(listen, listenArgs, { stdio: ['ignore', 'pipe', 'inherit'] })
    const early = onEarlyExit(() => void echo.kill('SIGKILL'))
    try {
      await once(echo.stdout, 'data')
      const [dial, ...dialArgs] = [...group(1), process.execPath, '-e', ASK, at]
      const ask = spawn(dial, dialArgs, { stdio: ['ignore', 'pipe', 'inherit'] })
      const [said] = (await once(ask.stdout, 'data')) as [Buffer]
      return Number(said.toString()) / 2
    } finally {
      echo.kill('SIGKILL')
      early.cancel()
    }
  }

  async stop(): Promise<void> {
    for (const member of this.#members) member.kill('SIGKILL')
    await Promise.all(this.#servers.map((server) => server.kill()))
    await this.#wan?.close()
  }

  #kill(): void {
    for (const pid of this.pids) process.kill(pid, 'SIGKILL')
  }

  async #start({ directory, hosts, delayMs, oneServer = false }: GroundOptions): Promise<void> {
    const log = pino({ level: 'warn' })
    const binary = await ensureNatsServer({ log })
    const dcs = [...new Set(hosts)]
    if (delayMs !== undefined) {
      const wan = await Wan.open({ net: NET, dcs, delay: () => delayMs, directory, say: () => undefined })
      if (!wan.delays) throw new Error('packets cannot be delayed here')
      this.#wan = wan
    }
    const places = hosts.map((dc, at) => ({ dc, name: `h${at + 1}`, ip: `127.${NET}.${dc}.${at + 1}` }))
    const { files, caFile } = await makeCertificates({
      directory: path.join(directory, 'pki'),
      requests: places.map(({ name, ip }) => ({ name, ips: [ip] })),
    })
    const user = nkeys.createUser()
    const servers = places.map(({ name, ip }) => ({ name, address: `${ip}:7222` }))
    for (const { dc, name, ip } of oneServer ? places.slice(0, 1) : places) {
      const configFile = path.join(directory, `${name}.conf`)
      const config = natsConfig({
        name,
        clients: `${ip}:4222`,
        tls: { ...files[name], caFile },
        users: [user.getPublicKey()],
        gateway: { listen: `${ip}:7222`, password: 'no-secret-in-a-benchmark', servers },
      })
      writeFileSync(configFile, config)
      const spawnPrefix = prefix(this.#wan?.groupOf(dc))
      const logFile = path.join(directory, `${name}.log`)
      const server = await startNatsServer({ binary, configFile, logFile, spawnPrefix })
      this.#servers.push(server)
      this.pids.push(server.pid)
    }
    const nkeySeed = new TextDecoder().decode(user.getSeed())
    for (const { dc, name, ip } of places) {
      const nats = `${oneServer ? places[0].ip : ip}:4222`
      const listen = `tcp://${ip}:${MQTT}`
      await this.#startMember({ name, dc, dcs, listen, nats, caFile, nkeySeed })
      this.brokers.push(`${ip}:${MQTT}`)
    }
    await this.#contact()
  }

  async #startMember(task: MemberTask): Promise<void> {
    const script = path.join(import.meta.dirname, 'member.ts')
    const member = fork(script, [JSON.stringify(task)], { execArgv: ['--single-threaded-gc'] })
    this.#members.push(member)
    this.pids.push(member.pid ?? 0)
    await this.#hear(member)
  }

  /** Resolves when every broker is in contact with all others. */
  async #contact(): Promise<void> {
    const end = Date.now() + CONTACT_MS
    for (const member of this.#members) {
      for (;;) {
        member.send('members?')
        const word = await this.#hear(member)
        if (word !== 'ready' && word.members === this.#members.length - 1) break
        if (Date.now() > end) throw new Error('the brokers do not find each other')
        await delay(50)
      }
    }
  }

  async #hear(member: ChildProcess): Promise<MemberWord> {
    const early = new AbortController()
    const signal = AbortSignal.any([early.signal, AbortSignal.timeout(WORD_MS)])
    const ended = once(member, 'exit', { signal }).then(() => {
      throw new Error('a broker of the run ended before it')
    })
    try {
      const [word] = (await Promise.race([once(member, 'message', { signal }), ended])) as [MemberWord]
      return word
    } finally {
      ended.catch(() => undefined)
      early.abort()
    }
  }
}
