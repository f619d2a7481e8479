import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SshHosts } from './sshd.ts'

/** Which programs of a host say what: what is left out is as on a host that is well. */
export interface Said {
  /** systemd's state by unit; `missing`: there is none. */
  units?: Record<string, string>
  /** Units of those that not every host of its roles has. */
  enabled?: readonly string[]
  failed?: readonly string[]
  /** `nodetool status` says DN of these addresses. */
  down?: readonly string[]
  gateways?: readonly string[]
  /** Why its API is not. */
  unready?: string
  /** Seconds by which its clock is ahead. */
  ahead?: number
  /** Percent of its disk that is free. */
  diskFree?: number
  release?: string
}

/** Puts stand-ins for systemd, Cassandra and our own processes on a host. */
export function putStandIns(hosts: SshHosts, name: string, said: Said = {}): void {
  const {
    units = {},
    enabled = [],
    failed = [],
    down = [],
    unready,
    ahead = 0,
    diskFree = 60,
    release = '1.0.0',
  } = said
  const { inventory } = hosts
  const others = inventory.hosts.filter((host) => host.name !== name && host.roles.includes('app'))
  const gateways = said.gateways ?? others.map((host) => host.name)
  const home = hosts.home(name)
  const states = join(home, 'units')
  rmSync(states, { recursive: true, force: true })
  mkdirSync(states, { recursive: true })
  for (const [unit, state] of Object.entries(units)) writeFileSync(join(states, `${unit}.service`), state)
  for (const unit of enabled) writeFileSync(join(states, `enabled-${unit}.service`), '')
  writeFileSync(
    join(home, 'failed'),
    failed.map((unit) => `${unit} loaded failed failed Something\n`).join(''),
  )
  writeFileSync(
    join(home, 'ring'),
    inventory.dcs
      .map((dc) => {
        const nodes = inventory.hosts.filter((host) => host.dc === dc.name && host.roles.includes('db'))
        const lines = nodes.map(
          ({ address }) =>
            `${down.includes(address) ? 'DN' : 'UN'}  ${address}  1.21 GiB  16  100.0%  00000000-0000-0000-0000-000000000001  r1\n`,
        )
        return `Datacenter: ${dc.name}\n================\n--  Address  Load  Tokens  Owns  Host ID  Rack\n${lines.join('')}`
      })
      .join('\n'),
  )
  writeFileSync(
    join(home, 'gatewayz'),
    JSON.stringify({ outbound_gateways: Object.fromEntries(gateways.map((other) => [other, {}])) }),
  )
  hosts.program(
    name,
    'systemctl',
    `case "$*" in
*list-units*) cat ${home}/failed ;;
*list-unit-files*) for unit; do [ ! -e ${states}/enabled-$unit ] || echo $unit enabled enabled; done ;;
*--value*) for unit; do case $unit in *.service) echo 1 ;; esac; done ;;
show*) for unit; do case $unit in *.service)
  state=$(cat ${states}/$unit 2>/dev/null || echo active) load=loaded
  [ $state != missing ] || { state=inactive load=not-found; }
  printf 'MainPID=%s\\nNRestarts=0\\nId=%s\\nLoadState=%s\\nActiveState=%s\\nSubState=x\\n\\n' 1 $unit $load $state ;;
esac; done ;;
esac`,
  )
  hosts.program(name, 'nodetool', `cat ${home}/ring`)
  hosts.program(
    name,
    'curl',
    // A hundred a second.
    `case "$*" in
*gatewayz*) cat ${home}/gatewayz ;;
*readyz*) echo '${unready === undefined ? '{"status":"ok"}' : JSON.stringify({ status: 'unavailable', reason: unready })}'; echo ${unready === undefined ? 200 : 503} ;;
*:8080/metrics*) echo 'cinque_http_requests_total{status="200"} 5'; echo 'cinque_http_requests_total{status="404"} 2' ;;
*metrics*) echo 'cinque_mqtt_connections 12'; echo "cinque_mqtt_received_messages_total $(($(/bin/date +%s%N) / 10000000))" ;;
esac`,
  )
  hosts.program(
    name,
    'date',
    ahead === 0 ? 'exec /bin/date "$@"' : `exec /bin/date -d '+${ahead} seconds' "$@"`,
  )
  hosts.program(
    name,
    'df',
    `echo Filesystem; echo "/dev/sda1 100000 ${100_000 - diskFree * 1000} ${diskFree * 1000} 1% /"`,
  )
  hosts.program(
    name,
    'readlink',
    `case $1 in /opt/cinque/*) echo /opt/cinque/releases/${release} ;; *) exec /bin/readlink "$@" ;; esac`,
  )
}
