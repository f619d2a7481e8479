import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Secrets } from './dev-files.ts'

export interface DevAddresses {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** `mqtt://127.0.0.1:1883` */
  readonly mqtt: string
  /** `ws://127.0.0.1:8080/mqtt` */
  readonly ws: string
}

/** What `cinque dev` prints when it is ready: addresses, and lines to copy with the real keys in them. */
export function devBanner(
  version: string,
  data: string | undefined,
  addresses: DevAddresses,
  secrets: Secrets,
): string {
  const { url, mqtt, ws } = addresses
  const cinque = ownName()
  const flags =
    data === undefined
      ? ` --url ${url} --token ${secrets.token}`
      : data === './cinque-data'
        ? ''
        : ` --data ${data}`
  const { hostname, port } = new URL(mqtt)
  const device = secrets.device ?? { name: 'NAME', key: 'KEY' }
  return [
    `cinque ${version} dev (data: ${data ?? 'in memory; keep it with --data DIR'})`,
    `  MQTT      ${mqtt}   ${ws}`,
    `  REST      ${url}/v1   openapi: /v1/openapi.json`,
    `  Metrics   ${url}/metrics`,
    secrets.device === null
      ? `  Device    add one: ${cinque} devices add NAME${flags}`
      : `  Device    ${device.name} (made for you), key ${device.key}`,
    '',
    'Send a value:',
    `  mosquitto_pub -h ${hostname} -p ${port} -u ${device.name} -P ${device.key} -q 1 -t v1/devices/me/telemetry -m '{"temp":21.5}'`,
    `  curl -H 'authorization: Device ${device.key}' -d '{"temp":21.5}' ${url}/v1/ingest`,
    'Read it:',
    `  curl -H 'authorization: Bearer ${secrets.token}' ${url}/v1/devices/${device.name}/latest`,
    `  curl -H 'authorization: Bearer ${secrets.token}' '${url}/v1/devices/${device.name}/telemetry?keys=temp&limit=10'`,
    `Watch: ${cinque} tail${flags}      Many devices: ${cinque} sim --devices 10${flags}      End: Ctrl-C`,
    '',
  ].join('\n')
}

/** How the reader calls this command from where he stands. */
function ownName(): string {
  const scripts = dirname(dirname(fileURLToPath(import.meta.url)))
  if (scripts.includes(`${sep}node_modules${sep}`)) return 'npx cinque'
  const path = join(scripts, 'cinque')
  const below = relative(process.cwd(), path)
  return below.startsWith('..') ? path : `.${sep}${below}`
}
