import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import type { CheckerConfig } from '#healthcheck/checker/config.ts'
import { type CheckerOptions, type CheckerSecrets, startChecker } from '#healthcheck/checker/checker.ts'
import { webhookKey } from '#healthcheck/notify/webhook.ts'
import { systemClock } from '#platform/clock.ts'
import { type Inventory, InventoryError } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { Metrics } from '#platform/metrics.ts'
import { systemTimers } from '#platform/timers.ts'
import { readSecret } from '#scripts/cell/secret.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { CliError, errorCode, errorLine, printJson, printLine } from '#scripts/output.ts'
import { stderrLogger } from './logger.ts'
import { serviceReady } from './service-manager.ts'

/** Runs a checker until SIGTERM or SIGINT; `file` is what `config` was read from. Rejects with CliError. */
export async function runHealthcheck(config: CheckerConfig, file: string, json: boolean): Promise<void> {
  const stopped = untilStopped()
  const metrics = new Metrics()
  const log = stderrLogger(config.log_level, metrics)
  const read = readChecker(config, file)
  const checker = await startChecker({
    ...read,
    log,
    metrics,
    clock: systemClock,
    timers: systemTimers,
  }).catch((error: unknown) => {
    if (errorCode(error) !== 'EADDRINUSE' && errorCode(error) !== 'EADDRNOTAVAIL') throw error
    throw new CliError(`listen: ${errorLine(error)}`, {
      remedy: 'Another address or port: `listen: HOST:PORT` in its configuration.',
      cause: error,
    })
  })
  if (json) printJson({ ready: checker.url, name: config.name })
  else printLine(`ready ${checker.url} ${config.name}`)
  serviceReady(log)
  await stopped
  await checker.close()
}

/** What the files say that a configuration names; `file` is what it was read from. CliError with exit code 2. */
export function readChecker(
  config: CheckerConfig,
  file: string,
): Pick<CheckerOptions, 'config' | 'inventory' | 'secrets'> {
  const directory = dirname(resolve(file))
  return {
    config: withPaths(config, directory),
    inventory: inventoryOf(config, directory),
    secrets: secretsOf(config, directory),
  }
}

/** With whole paths, where files are read or written later. */
function withPaths(config: CheckerConfig, directory: string): CheckerConfig {
  const { dns, gdnsd, state, status } = config
  const places = dns?.places_file
  return {
    ...config,
    state: resolve(directory, state),
    ...(status.publish === undefined
      ? {}
      : { status: { ...status, publish: resolve(directory, status.publish) } }),
    ...(dns === undefined || places === undefined
      ? {}
      : { dns: { ...dns, places_file: resolve(directory, places) } }),
    ...(gdnsd === undefined ? {} : { gdnsd: { states_file: resolve(directory, gdnsd.states_file) } }),
  }
}

/** The inventory, which must have this checker and all whose keys are there. */
function inventoryOf({ inventory: file, name, keys }: CheckerConfig, directory: string): Inventory {
  const path = resolve(directory, file)
  let inventory: Inventory
  try {
    inventory = loadInventory(path)
  } catch (error) {
    if (error instanceof InventoryError) throw new CliError(error.message, { exitCode: 2, cause: error })
    throw error
  }
  const checkers = inventory.hosts.filter(({ roles }) => roles.includes('checker')).map((host) => host.name)
  const wrong = (message: string): CliError => new CliError(message, { exitCode: 2 })
  if (!checkers.includes(name)) {
    throw wrong(`name: ${path} has no host "${name}" with role checker; those are ${list(checkers)}`)
  }
  for (const one of checkers) {
    if (keys[one] === undefined)
      throw wrong(`keys: the key of ${one} is missing; every checker of ${path} has one`)
  }
  for (const one of Object.keys(keys)) {
    if (!checkers.includes(one)) {
      throw wrong(
        `keys.${one}: ${path} has no host of that name with role checker; those are ${list(checkers)}`,
      )
    }
  }
  return inventory
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ')
}

function secretsOf(config: CheckerConfig, directory: string): CheckerSecrets {
  const read = (file: string, key: string): string => readSecret(resolve(directory, file), key)
  const { probe, tls } = config
  const signingKey = signingKeyOf(read(config.key_file, 'key_file'))
  const own = createPublicKey(signingKey).export({ format: 'jwk' }).x
  if (config.keys[config.name] !== own) {
    throw new CliError(`keys.${config.name}: it is not the public key of key_file, which is ${own}`, {
      exitCode: 2,
    })
  }
  const path = read(config.secret_file, 'secret_file')
  if (!/^[A-Za-z0-9_-]{16,64}$/.test(path)) {
    throw new CliError('secret_file: must be 16 to 64 of A-Z, a-z, 0-9, - and _', { exitCode: 2 })
  }
  return {
    signingKey,
    path,
    deviceKey: read(probe.device_key_file, 'probe.device_key_file'),
    apiKey: read(probe.api_key_file, 'probe.api_key_file'),
    probeCa: probe.ca_file === undefined ? undefined : read(probe.ca_file, 'probe.ca_file'),
    tls: {
      cert: read(tls.cert_file, 'tls.cert_file'),
      key: read(tls.key_file, 'tls.key_file'),
      ca: read(tls.ca_file, 'tls.ca_file'),
    },
    ...notifySecretsOf(config, read),
  }
}

function notifySecretsOf(
  { notify: { email, webhooks } }: CheckerConfig,
  read: (file: string, key: string) => string,
): Pick<CheckerSecrets, 'mailPassword' | 'webhookKeys'> {
  const { username, password_file: passwordFile } = email?.smtp ?? {}
  if ((username === undefined) !== (passwordFile === undefined)) {
    throw new CliError('notify.email.smtp: username and password_file go together', { exitCode: 2 })
  }
  return {
    mailPassword:
      passwordFile === undefined ? undefined : read(passwordFile, 'notify.email.smtp.password_file'),
    webhookKeys: webhooks.map(({ secret_file: file }, i) => {
      const field = `notify.webhooks[${i}].secret_file`
      const key = webhookKey(read(file, field))
      if (key !== null) return key
      throw new CliError(`${field}: must be whsec_ and base64 of 24 to 64 bytes`, { exitCode: 2 })
    }),
  }
}

function signingKeyOf(pem: string): KeyObject {
  let key: KeyObject | undefined
  try {
    key = createPrivateKey(pem)
  } catch {
    // said below
  }
  if (key?.asymmetricKeyType === 'ed25519') return key
  throw new CliError('key_file: is no Ed25519 private key in PEM', {
    exitCode: 2,
    remedy: '`cinque healthcheck provision` makes one.',
  })
}
