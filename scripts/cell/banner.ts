import { relative } from 'node:path'
import { defaultCellData } from '#scripts/client/target.ts'
import { table } from '#scripts/output.ts'
import { ownName } from '#scripts/run/dev-banner.ts'
import type { Secrets } from '#scripts/run/dev-files.ts'
import type { Cell } from './cell.ts'

/** What `cinque dev --dcs` prints when it is ready: addresses, and lines to copy with the real keys in them. */
export function cellBanner(cell: Cell, version: string, { device, token }: Secrets): string {
  const cinque = ownName()
  const data =
    relative(process.cwd(), cell.directory) === relative('.', defaultCellData)
      ? ''
      : ` --data ${cell.directory}`
  const first = cell.dcs[0]
  const far = cell.dcs[Math.min(2, cell.dcs.length - 1)]
  const { hostname, port } = new URL(first.mqtt)
  const { name, key } = device ?? { name: 'NAME', key: 'KEY' }
  const addresses = cell.dcs.map((dc) => [
    dc.name,
    dc.status().place,
    dc.brokers.join(' '),
    dc.ws,
    `${dc.http}/v1`,
  ])
  return [
    '',
    `cinque ${version} dev, ${cell.dcs.length} datacenters (data: ${cell.directory}, logs: ${cell.directory}/logs)`,
    ...table(['', '', 'MQTT', 'MQTT over WebSocket', 'REST'], addresses).map((line) => `  ${line}`),
    device === null
      ? `  Device    add one: ${cinque} devices add NAME --dc ${first.name}${data}`
      : `  Device    ${name} (made for you), key ${key}`,
    ...nameLines(cell),
    `  Admin     a link for the first one: curl -X POST -H 'authorization: Bearer ${token}' ${first.http}/v1/setup/links`,
    '',
    `Send a value in ${first.name}, and read it in ${far.name}:`,
    `  mosquitto_pub -h ${hostname} -p ${port} -u ${name} -P ${key} -q 1 -t v1/devices/me/telemetry -m '{"temp":21.5}'`,
    `  curl -H 'authorization: Bearer ${token}' ${far.http}/v1/devices/${name}/latest`,
    `Watch ${far.name} live, or let simulated devices send in ${first.name} (Ctrl-C ends each):`,
    `  ${cinque} tail --dc ${far.name}${data}`,
    `  ${cinque} sim --devices 10 --dc ${first.name}${data}`,
    'Kill a datacenter, cut one off, and bring them back:',
    `  ${cinque} dc kill dc02${data}; ${cinque} dc status${data}; ${cinque} dc start dc02${data}`,
    `  ${cinque} dc cut ${first.name} ${far.name}${data}; ${cinque} dc heal ${first.name}${data}`,
    '',
  ].join('\n')
}

/** How the cell is found by its names; nothing without checkers. */
function nameLines({ names, inventory: { ports }, caFile }: Cell): string[] {
  if (names === null) return []
  const [address, port] = names.nameServers[0].split(':')
  return [
    `  Names     mqtts://${names.mqtt}:${ports.mqtts} and https://${names.api}:${ports.https}, authority ${caFile}`,
    `            name servers ${names.nameServers.join(' ')}: dig @${address} -p ${port} ${names.mqtt}`,
    `  Status    ${names.checkers[0]}/, for programs /v1/health; the same of each other checker`,
  ]
}
