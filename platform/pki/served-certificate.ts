import { X509Certificate } from 'node:crypto'
import { readFileSync, type Stats, unwatchFile, watchFile } from 'node:fs'
import tls from 'node:tls'
import type { Logger } from '#platform/log.ts'

/** What a port that speaks TLS shows: paths of PEM files, as the configuration's `tls` section names them. */
export interface ServedFiles {
  /** The certificate and the intermediate ones behind it. */
  readonly cert: string
  readonly key: string
  /** Authorities of client certificates. Absent: none, also not the public ones. */
  readonly ca?: string | undefined
  readonly min_version: 'TLSv1.2' | 'TLSv1.3'
}

export interface ServedCertificateOptions {
  readonly files: ServedFiles
  /** Named in errors and in the log. */
  readonly listener: () => string
  readonly log: Logger
}

/** How often the files are looked at. By stat, not by inotify: that sees through symlinks and network mounts. */
const WATCH_INTERVAL_MS = 1000
/** Certificate and key are two files; wait until both are written. */
const SETTLE_MS = 500

/** Certificate, key and authorities of one port that speaks TLS: read from files, and again when these change. */
export class ServedCertificate {
  readonly #options: ServedCertificateOptions
  #server: Pick<tls.Server, 'setSecureContext'> | null = null
  #settle: NodeJS.Timeout | undefined
  readonly #onFileChange = (now: Stats, before: Stats): void => {
    if (now.mtimeMs === before.mtimeMs && now.ino === before.ino && now.size === before.size) return
    clearTimeout(this.#settle)
    this.#settle = setTimeout(() => this.#reloadOrWarn(), SETTLE_MS).unref()
  }

  constructor(options: ServedCertificateOptions) {
    this.#options = options
  }

  /** Reads the files; throws an Error of one line that names the listener, the setting and the file. */
  read(): tls.SecureContextOptions {
    const { files, log, listener } = this.#options
    const { cert, key, ca, min_version } = files
    const chain = this.#bytes('tls.cert', cert)
    const certificate = this.#parse('tls.cert', cert, chain)
    const options: tls.SecureContextOptions = {
      cert: chain,
      key: this.#bytes('tls.key', key),
      minVersion: min_version,
    }
    if (ca !== undefined) {
      const authorities = this.#bytes('tls.ca', ca)
      this.#parse('tls.ca', ca, authorities)
      options.ca = authorities
    } else {
      // Without any, Node would take the public ones.
      options.ca = []
    }
    try {
      tls.createSecureContext(options)
    } catch (error) {
      const reason = reasonOf(error)
      throw this.#error(
        /mismatch/.test(reason)
          ? `tls.key ${key} does not belong to the certificate in tls.cert ${cert}`
          : `tls.key ${key} is not a usable PEM private key without passphrase (${reason})`,
        error,
      )
    }
    if (certificate.validToDate.getTime() < Date.now())
      log.warn(
        { event: 'certificate.expired', listener: listener(), valid_to: certificate.validToDate },
        `${cert} has expired; clients will refuse it`,
      )
    return options
  }

  /** From now on a change of the files gives the server the new ones, until `close`. */
  follow(server: Pick<tls.Server, 'setSecureContext'>): void {
    this.#server = server
    for (const file of this.#files())
      watchFile(file, { interval: WATCH_INTERVAL_MS, persistent: false }, this.#onFileChange)
  }

  /** Reads all files again; throws, and keeps the old ones, if they are bad. Open connections go on. */
  reload(): void {
    const options = this.read()
    this.#server?.setSecureContext(options)
    this.#options.log.info(
      { event: 'certificate.reloaded', listener: this.#options.listener() },
      'new connections see the new certificate',
    )
  }

  close(): void {
    clearTimeout(this.#settle)
    for (const file of this.#files()) unwatchFile(file, this.#onFileChange)
  }

  #files(): string[] {
    const { cert, key, ca } = this.#options.files
    return ca === undefined ? [cert, key] : [cert, key, ca]
  }

  #bytes(name: string, file: string): Buffer {
    try {
      return readFileSync(file)
    } catch (error) {
      throw this.#error(`${name} ${file} cannot be read (${reasonOf(error)})`, error)
    }
  }

  #parse(name: string, file: string, pem: Buffer): X509Certificate {
    try {
      return new X509Certificate(pem)
    } catch (error) {
      throw this.#error(`${name} ${file} holds no PEM certificate`, error)
    }
  }

  #error(explanation: string, cause: unknown): Error {
    return new Error(`listener ${this.#options.listener()}: ${explanation}`, { cause })
  }

  #reloadOrWarn(): void {
    try {
      this.reload()
    } catch (error) {
      this.#options.log.warn(
        { event: 'certificate.kept', listener: this.#options.listener(), detail: reasonOf(error) },
        'the certificate files have changed but are bad; the old ones stay in use',
      )
    }
  }
}

/** What OpenSSL says is wrong, in short. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const reason: unknown = 'reason' in error ? error.reason : undefined
  return typeof reason === 'string' ? reason : error.message
}
