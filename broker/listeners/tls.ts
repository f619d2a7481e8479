import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { Logger } from '#platform/log.ts'
import { reasonOf, ServedCertificate } from '#platform/pki/served-certificate.ts'
import type { BrokerConfig } from '../config.ts'
import { certificateIdentity, chainOf } from './certificate.ts'
import type { Handshake, Handshakes } from './handshakes.ts'
import { peerAddress } from './tcp.ts'
import type { CertificateTrust } from './transport.ts'

export type TlsConfig = NonNullable<BrokerConfig['tls']>

/**
 * The TLS stage of a listener: sockets go in by `handshake`, and `secured` gets them when the client has shown all
 * that it must. Certificates are read again by `reload` and when the files change.
 */
export class TlsStage {
  readonly #server: tls.Server
  readonly #config: TlsConfig
  readonly #handshakes: Handshakes
  readonly #certificate: ServedCertificate

  /** Throws an Error of one line that names the listener and the remedy. */
  constructor(
    handshakes: Handshakes,
    config: TlsConfig | undefined,
    log: Logger,
    secured: (socket: tls.TLSSocket, handshake: Handshake) => void,
    trust?: CertificateTrust,
  ) {
    const url = handshakes.listener
    if (config === undefined)
      throw new Error(`listener ${url}: needs a certificate; set tls.cert and tls.key to PEM files`)
    if (
      config.client_certificate !== 'none' &&
      config.ca === undefined &&
      config.organisation_authorities !== true
    )
      throw new Error(
        `listener ${url}: tls.client_certificate is ${config.client_certificate}, so tls.ca must name the CAs of the clients`,
      )
    this.#config = config
    this.#handshakes = handshakes
    this.#certificate = new ServedCertificate({ files: config, listener: () => handshakes.listener, log })
    const asks = config.client_certificate !== 'none'
    this.#server = tls.createServer({
      ...this.#certificate.read(),
      requestCert: asks,
      // #verified decides: Node would close a client with a bad one before we can say whose it was
      rejectUnauthorized: false,
    })
    this.#server.on('secureConnection', (socket) => {
      const handshake = handshakes.find(socket)
      if (handshake === undefined) socket.destroy()
      else if (!asks) secured(socket, handshake)
      else if (trust !== undefined && config.organisation_authorities === true && isStranger(socket))
        this.#askTrust(trust, socket, handshake, secured)
      else if (this.#verified(socket, handshake)) secured(socket, handshake)
    })
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  /** From now on a change of the files reloads them, until `close`. */
  watch(): void {
    this.#certificate.follow(this.#server)
  }

  /** Runs the handshake on a plain socket; `head` was read from it already. */
  handshake(socket: Socket, handshake: Handshake, head: Buffer | null): void {
    handshake.stage = 'tls'
    if (head !== null) {
      socket.pause()
      socket.unshift(head)
    }
    this.#server.emit('connection', socket)
  }

  /** Reads certificate, key and CAs again; throws, and keeps the old ones, if they are bad. Open connections go on. */
  reload(): void {
    this.#certificate.reload()
  }

  close(): void {
    this.#certificate.close()
  }

  /** The certificate is not of the listener's authorities: of an organisation's, perhaps. */
  #askTrust(
    trust: CertificateTrust,
    socket: tls.TLSSocket,
    handshake: Handshake,
    secured: (socket: tls.TLSSocket, handshake: Handshake) => void,
  ): void {
    const refuse = (reason: string): void => {
      this.#handshakes.refuse('tls_certificate', `bad client certificate: ${reason}`, handshake.address)
      socket.destroy()
    }
    const chain = chainOf(socket.getPeerCertificate(true))
    trust.trust(chain).then(
      (trusted) => {
        // It may have gone, or its time may be up.
        if (socket.destroyed) return
        if (typeof trusted === 'string') return refuse(trusted)
        const certificate = socket.getPeerCertificate()
        const identity = certificateIdentity(certificate)
        handshake.certificate = {
          ...identity,
          authority: {
            ...trusted,
            serial: certificate.serialNumber,
            subject: identity.cn,
            notBefore: Date.parse(certificate.valid_from),
            notAfter: Date.parse(certificate.valid_to),
          },
        }
        secured(socket, handshake)
      },
      (error: unknown) => refuse(reasonOf(error)),
    )
  }

  #verified(socket: tls.TLSSocket, handshake: Handshake): boolean {
    const certificate = socket.getPeerCertificate()
    // Node gives an empty object for none
    const shown = Object.keys(certificate).length > 0
    if (shown && socket.authorized) handshake.certificate = certificateIdentity(certificate)
    if (shown ? socket.authorized : this.#config.client_certificate === 'optional') return true
    const reason = shown
      ? `bad client certificate: ${String(socket.authorizationError)}`
      : 'the client showed no certificate'
    this.#handshakes.refuse('tls_certificate', reason, handshake.address)
    socket.destroy()
    return false
  }

  #failed(error: NodeJS.ErrnoException, socket: tls.TLSSocket): void {
    // the client left, or its time was up, which is counted there
    if (error.code !== 'ECONNRESET') {
      const address = this.#handshakes.find(socket)?.address ?? peerAddress(socket)
      this.#handshakes.refuse('tls_handshake', `TLS handshake failed: ${reasonOf(error)}`, address)
    }
    socket.destroy()
  }
}

function isStranger(socket: tls.TLSSocket): boolean {
  return !socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0
}
