import type { Host, Inventory } from '#platform/inventory/inventory.ts'

/** Units that a host of these roles must have; systemd's names without `.service`. */
function unitsOf({ roles, brokers }: Host): string[] {
  return [
    ...(roles.includes('db') ? ['cassandra'] : []),
    ...(roles.includes('app')
      ? ['cinque-nats', ...Array.from({ length: brokers }, (_, i) => `cinque-broker${i + 1}`), 'cinque-api']
      : []),
    ...(roles.includes('checker') ? ['cinque-healthcheck'] : []),
    'nftables',
    'prometheus-node-exporter',
  ]
}

/** What some hosts have besides, by the cell's values: looked at where it is to start with the host. */
export const besides: readonly string[] = ['cinque-operator', 'gdnsd', 'prometheus']

/** Counters and gauges that are looked at, of brokers and API. */
export const wantedMetrics = [
  'cinque_mqtt_connections',
  'cinque_mqtt_received_messages_total',
  'cinque_mqtt_sent_messages_total',
  'cinque_mqtt_dropped_messages_total',
  'cinque_http_requests_total',
  'cinque_cluster_peers',
  'cinque_cluster_peers_in_contact',
] as const

const curl = 'curl -sS --max-time 5'

/**
 * Shell script that prints what a host is and does, in sections `@@ NAME`. What is not there prints nothing. `ring`: how
 * its Cassandra sees the others, which takes a second of a processor.
 */
export function lookScript({ ports }: Inventory, host: Host, { ring }: { ring: boolean }): string {
  const { roles, brokers } = host
  const at = host.address.includes(':') ? `[${host.address}]` : host.address
  const metrics = `grep -E '^(${wantedMetrics.join('|')})[ {]'`
  const pages = [
    ...Array.from({ length: brokers }, (_, i) => `http://${at}:${ports.metrics + i}/metrics`),
    `http://${at}:${ports.http}/metrics`,
  ]
  const service = (unit: string): string => `${unit}.service`
  const [required, maybe] = [unitsOf(host), besides].map((units) => units.map(service).join(' '))
  const units = '$units'
  const sections: (readonly [string, string])[] = [
    ['clock', 'date +%s.%N'],
    // What is counted comes next: rates are by this clock.
    ...(roles.includes('app')
      ? ([['metrics', pages.map((url) => `${curl} ${url} | ${metrics}`).join('; ')]] as const)
      : []),
    ['load', 'cat /proc/loadavg; nproc; cat /proc/uptime; head -1 /proc/stat'],
    ['memory', "grep -E '^(MemTotal|MemAvailable):' /proc/meminfo"],
    ['disks', 'df -PB1 / /var/lib/cassandra | tail -n +2 | sort -u'],
    [
      'network',
      `awk -F'[: ]+' 'NR > 2 && $2 != "lo" { rx += $3; tx += $11 } END { printf "%d %d\\n", rx, tx }' /proc/net/dev`,
    ],
    ['units', `systemctl show --no-pager -p Id,LoadState,ActiveState,SubState,NRestarts,MainPID ${units}`],
    [
      'processes',
      `for pid in $(systemctl show --no-pager -p MainPID --value ${units}); do
  [ "$pid" -gt 0 ] 2>/dev/null || continue
  echo "$pid $(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f12,13) $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")"
done; getconf CLK_TCK`,
    ],
    ['failed', 'systemctl list-units --state=failed --plain --no-legend --no-pager'],
    ['os', '. /etc/os-release; echo "$PRETTY_NAME"; uname -r'],
    [
      'versions',
      `basename "$(readlink /opt/cinque/current)"
tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value cinque-nats.service)/cmdline | sed -n '1s,.*/nats-server-\\([0-9.]*\\)/.*,nats \\1,p'
sed -n 's,.*/opt/cinque/cassandra-\\([0-9.]*\\)/.*,cassandra \\1,p' /etc/cinque/cassandra/java.options | head -1`,
    ],
    ...(roles.includes('app')
      ? ([
          ['gateways', `${curl} http://127.0.0.1:${ports.nats_http}/gatewayz`],
          ['ready', `${curl} -w '\\n%{http_code}\\n' http://${at}:${ports.http}/readyz`],
        ] as const)
      : []),
    ...(roles.includes('db') && ring ? ([['ring', 'nodetool status']] as const) : []),
  ]
  return [
    'LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin',
    `units="${required} $(systemctl list-unit-files --state=enabled --plain --no-legend --no-pager ${maybe} 2>/dev/null | cut -d' ' -f1 | tr '\\n' ' ')"`,
    ...sections.map(([name, command]) => `echo; echo '@@ ${name}'; { ${command}; } 2>/dev/null`),
    // What is missing shows in what is there.
    'true',
  ].join('\n')
}
