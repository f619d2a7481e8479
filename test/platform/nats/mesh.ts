import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import { pino } from 'pino'
import { createLogger } from '#platform/log.ts'
import { natsConfig } from '#platform/nats/server/config.ts'
import { ensureNatsServer } from '#platform/nats/server/engine.ts'
import { type NatsServer, startNatsServer } from '#platform/nats/server/process.ts'
import { type Certificates, makeCertificates } from '#platform/pki/certificates.ts'
import { deadline } from '../../patience.ts'

/** A log of lines that tests look at. */
export class Lines {
  readonly all: { event: string; msg: string }[] = []
  readonly log = pino({ base: null }, { write: (line: string) => void this.all.push(JSON.parse(line)) })

  of(event: string): string[] {
    return this.all.filter((line) => line.event === event).map((line) => line.msg)
  }
}

export interface User {
  readonly publicKey: string
  readonly seed: string
}

export function newUser(): User {
  const user = nkeys.createUser()
  return { publicKey: user.getPublicKey(), seed: new TextDecoder().decode(user.getSeed()) }
}

/** Real nats-servers as a cell has them: on loopback addresses of their own, meshed by gateways, with TLS and nkeys. */
export class Mesh {
  readonly directory: string
  readonly user = newUser()
  /** By number; null while it is down. */
  readonly servers: (NatsServer | null)[]
  readonly binary: string
  readonly #network: string
  readonly #certificates: Certificates

  private constructor(
    binary: string,
    directory: string,
    network: string,
    count: number,
    certificates: Certificates,
  ) {
    this.binary = binary
    this.directory = directory
    this.#network = network
    this.servers = Array.from({ length: count }, () => null)
    this.#certificates = certificates
  }

  /** Starts `count` servers; resolves when each has a gateway to every other. */
  static async start(count: number): Promise<Mesh> {
    const mesh = await Mesh.prepare(count)
    await Promise.all(mesh.servers.map((_, i) => mesh.up(i)))
    await mesh.meshed()
    return mesh
  }

  /** `count` servers that are not started yet. */
  static async prepare(count: number): Promise<Mesh> {
    const binary = await ensureNatsServer({ log: createLogger({ level: 'warn' }) })
    const directory = mkdtempSync(path.join(tmpdir(), 'cinque-nats-'))
    // By chance: several test runs share the machine's loopback network.
    const network = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`
    const certificates = await makeCertificates({
      directory: path.join(directory, 'pki'),
      requests: Array.from({ length: count }, (_, i) => ({ name: nameOf(i), ips: [`${network}.${i + 1}`] })),
    })
    return new Mesh(binary, directory, network, count, certificates)
  }

  get caFile(): string {
    return this.#certificates.caFile
  }

  ip(i: number): string {
    return `${this.#network}.${i + 1}`
  }

  /** For clients. */
  address(i: number): string {
    return `${this.ip(i)}:4222`
  }

  async up(i: number): Promise<void> {
    const configFile = path.join(this.directory, `${nameOf(i)}.conf`)
    const config = natsConfig({
      name: nameOf(i),
      clients: this.address(i),
      monitor: `${this.ip(i)}:8222`,
      tls: { ...this.#certificates.files[nameOf(i)], caFile: this.caFile },
      users: [this.user.publicKey],
      gateway: {
        listen: `${this.ip(i)}:7222`,
        password: 'password-of-the-mesh',
        servers: this.servers.map((_, j) => ({ name: nameOf(j), address: `${this.ip(j)}:7222` })),
      },
    })
    writeFileSync(configFile, config, { mode: 0o600 })
    this.servers[i] = await startNatsServer({
      binary: this.binary,
      configFile,
      logFile: path.join(this.directory, `${nameOf(i)}.log`),
    })
  }

  async kill(i: number): Promise<void> {
    await this.servers[i]?.kill()
    this.servers[i] = null
  }

  /** Resolves when every server that runs has a gateway to each of the others. */
  async meshed(): Promise<void> {
    const running = this.servers.flatMap((server, i) => (server === null ? [] : [i]))
    const over = deadline()
    for (const i of running)
      for (;;) {
        const response = await fetch(`http://${this.ip(i)}:8222/gatewayz`)
        const { outbound_gateways: out, inbound_gateways: into } = (await response.json()) as {
          outbound_gateways: object
          inbound_gateways: object
        }
        const fewest = Math.min(Object.keys(out).length, Object.keys(into).length)
        if (fewest >= running.length - 1) break
        if (over()) throw new Error(`${nameOf(i)} has ${fewest} gateways`)
        await new Promise((later) => setTimeout(later, 50))
      }
  }

  async remove(): Promise<void> {
    await Promise.all(this.servers.map((_, i) => this.kill(i)))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function nameOf(i: number): string {
  return `dc0${i + 1}-n1`
}
