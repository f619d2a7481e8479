import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  GenericContainer,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from 'testcontainers'
import { natsConfig } from '#platform/nats/server/config.ts'
import { type Certificates, makeCertificates } from '#platform/pki/certificates.ts'
import { newUser } from '../platform/nats/mesh.ts'
import { engineAddress } from './engine.ts'
import { images } from './images.ts'

const CLIENTS = 4222
const GATEWAYS = 6222
const MONITOR = 8222
/** Those that the image names: Podman has all of them published, or none. */
const PORTS = [CLIENTS, GATEWAYS, MONITOR]
const CA = '/etc/cinque/ca.pem'
const CERTIFICATE = '/etc/cinque/server.pem'
const KEY = '/etc/cinque/server.key'
const CONFIG = '/etc/cinque/nats.conf'

const MESHED_MS = 30_000

/** nats-servers in containers, with the configuration of a cell: TLS, nkeys, gateways between all of them. */
export class NatsMesh {
  readonly user = newUser()
  readonly #directory: string
  readonly #address: string
  readonly #names: readonly string[]
  readonly #certificates: Certificates
  readonly #network: StartedNetwork
  #servers: StartedTestContainer[] = []

  private constructor(
    directory: string,
    address: string,
    names: readonly string[],
    certificates: Certificates,
    network: StartedNetwork,
  ) {
    this.#directory = directory
    this.#address = address
    this.#names = names
    this.#certificates = certificates
    this.#network = network
  }

  /** Resolves when each of `count` servers has a gateway to every other. */
  static async start(count: number): Promise<NatsMesh> {
    const directory = mkdtempSync(path.join(tmpdir(), 'cinque-containers-'))
    const address = await engineAddress()
    const names = Array.from({ length: count }, (_, i) => `dc0${i + 1}-n1`)
    const certificates = await makeCertificates({
      directory,
      requests: names.map((name) => ({ name, dns: [name], ips: [address] })),
    })
    const mesh = new NatsMesh(directory, address, names, certificates, await new Network().start())
    try {
      const results = await Promise.allSettled(names.map((name) => mesh.#up(name)))
      mesh.#servers = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      const failed = results.find((one) => one.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      await mesh.#meshed()
    } catch (error) {
      // A container that did not start is removed by testcontainers at the end of the run, and its network too.
      await mesh.remove().catch(() => undefined)
      throw error
    }
    return mesh
  }

  get caFile(): string {
    return this.#certificates.caFile
  }

  /** For clients outside of the containers. */
  server(i: number): string {
    return `${this.#address}:${this.#servers[i].getMappedPort(CLIENTS)}`
  }

  async remove(): Promise<void> {
    await Promise.all(this.#servers.map((one) => one.stop()))
    await this.#network.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #up(name: string): Promise<StartedTestContainer> {
    const { certFile, keyFile } = this.#certificates.files[name]
    const config = natsConfig({
      name,
      clients: `0.0.0.0:${CLIENTS}`,
      monitor: `0.0.0.0:${MONITOR}`,
      tls: { certFile: CERTIFICATE, keyFile: KEY, caFile: CA },
      users: [this.user.publicKey],
      gateway: {
        listen: `0.0.0.0:${GATEWAYS}`,
        password: 'password-of-the-mesh',
        servers: this.#names.map((one) => ({ name: one, address: `${one}:${GATEWAYS}` })),
      },
    })
    return new GenericContainer(images.nats)
      .withCopyContentToContainer([
        { content: config, target: CONFIG },
        { content: readFileSync(certFile), target: CERTIFICATE },
        { content: readFileSync(keyFile), target: KEY },
        { content: readFileSync(this.caFile), target: CA },
      ])
      .withCommand(['--config', CONFIG])
      .withNetwork(this.#network)
      .withNetworkAliases(name)
      .withExposedPorts(...PORTS)
      .withWaitStrategy(Wait.forLogMessage('Server is ready'))
      .start()
  }

  async #meshed(): Promise<void> {
    const deadline = Date.now() + MESHED_MS
    for (const [i, server] of this.#servers.entries())
      for (;;) {
        const response = await fetch(`http://${this.#address}:${server.getMappedPort(MONITOR)}/gatewayz`)
        const { outbound_gateways: out, inbound_gateways: into } = (await response.json()) as {
          outbound_gateways: object
          inbound_gateways: object
        }
        const fewest = Math.min(Object.keys(out).length, Object.keys(into).length)
        if (fewest >= this.#names.length - 1) break
        if (Date.now() > deadline) throw new Error(`${this.#names[i]} has ${fewest} gateways`)
        await new Promise((later) => setTimeout(later, 50))
      }
  }
}
