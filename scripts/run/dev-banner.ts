import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Secrets } from './dev-files.ts'

interface Ready {
  readonly version: string
  /** Undefined: in memory. */
  readonly data: string | undefined
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** `mqtt://127.0.0.1:1883` */
  readonly mqtt: string
  /** `ws://127.0.0.1:8080/mqtt` */
  readonly ws: string
  /** All of the broker's own. */
  readonly listeners: readonly string[]
  readonly secrets: Secrets
  /** Link for the first administrator; null: there is one. */
  readonly setup: string | null
}

/** What `cinque dev` prints when it is ready: addresses, and lines to copy with the real keys in them. */
export function devBanner({ version, data, url, mqtt, ws, listeners, secrets, setup }: Ready): string {
  const cinque = ownName()
  const target = targetFlags(data, url, secrets.token)
  const { hostname, port } = new URL(mqtt)
  const device = secrets.device ?? { name: 'NAME', key: 'KEY' }
  const more = listeners.filter((one) => one.replace(/^tcp:/, 'mqtt:') !== mqtt)
  return [
    `cinque ${version} dev (data: ${data ?? 'in memory; keep it with --data DIR'})`,
    `  MQTT      ${[mqtt, ws, ...more].join('   ')}`,
    `  REST      ${url}/v1   openapi: /v1/openapi.json`,
    `  Metrics   ${url}/metrics`,
    secrets.device === null
      ? `  Device    add one: ${cinque} devices add NAME${target}`
      : `  Device    ${device.name} (made for you), key ${device.key}`,
    ...(setup === null ? [] : [`  Admin     ${setup}   (create the first one: 30 minutes, once)`]),
    '',
    'Send a value:',
    `  mosquitto_pub -h ${hostname} -p ${port} -u ${device.name} -P ${device.key} -q 1 -t v1/devices/me/telemetry -m '{"temp":21.5}'`,
    `  curl -H 'authorization: Device ${device.key}' -d '{"temp":21.5}' ${url}/v1/ingest`,
    'Read it:',
    `  curl -H 'authorization: Bearer ${secrets.token}' ${url}/v1/devices/${device.name}/latest`,
    `  curl -H 'authorization: Bearer ${secrets.token}' '${url}/v1/devices/${device.name}/telemetry?keys=temp&limit=10'`,
    'Watch it live, or let simulated devices send (Ctrl-C ends each):',
    `  ${cinque} tail${target}`,
    `  ${cinque} sim --devices 10${target}`,
    '',
  ].join('\n')
}

/** How other commands find this process: by its data directory, or by address and token. */
function targetFlags(data: string | undefined, url: string, token: string): string {
  if (data === undefined) return ` --url ${url} --token ${token}`
  return data === './cinque-data' ? '' : ` --data ${data}`
}

/** How the reader calls this command from where he stands. */
export function ownName(): string {
  const scripts = dirname(dirname(fileURLToPath(import.meta.url)))
  if (scripts.includes(`${sep}node_modules${sep}`)) return 'npx cinque'
  const path = join(scripts, 'cinque')
  const below = relative(process.cwd(), path)
  return below.startsWith('..') ? path : `.${sep}${below}`
}
