# @summary REST, live streams, MQTT over WebSocket.
#
# @param heap_mb
#   What JavaScript objects may take.
# @param host
#   This host.
# @param ports
#   Ports of the cell.
class profile::api (
  Integer[128, 65536] $heap_mb,
  Cinque::Host        $host  = lookup('cinque::host'),
  Cinque::Ports       $ports = lookup('cinque::ports'),
) {
  $host_part = $host['address'] ? {
    Stdlib::IP::Address::V6::Nosubnet => "[${host['address']}]",
    default                           => $host['address'],
  }
  $capabilities = [$ports['http'], $ports['https']].any |$port| { $port < 1024 } ? {
    true    => ['CAP_NET_BIND_SERVICE'],
    default => [],
  }
  unit::service { 'cinque-api':
    description     => 'cinque REST API',
    command         => [
      '/opt/cinque/current/bin/node', '--single-threaded-gc', "--max-old-space-size=${heap_mb}",
      '/opt/cinque/current/scripts/cinque.js', 'api',
      '--cell', '/etc/cinque/cinque/member.yaml', '--name', "${host['name']}-api",
      '--config', '/etc/cinque/cinque/broker.yaml',
      '--http', "${host_part}:${ports['http']}",
      '--https', "${host_part}:${ports['https']}",
    ],
    user            => 'cinque',
    manage_user     => false,
    type            => 'notify',
    watchdog        => 30,
    after           => ['cinque-nats.service', 'cassandra.service'],
    environment     => { 'NODE_COMPILE_CACHE' => '/var/lib/cinque-api/compiled' },
    state_directory => 'cinque-api',
    capabilities    => $capabilities,
    memory_max      => "${$heap_mb * 2}M",
    allow_jit       => true,
    subscribe_to    => [
      File['/etc/cinque/cinque/member.yaml', '/etc/cinque/cinque/broker.yaml', '/opt/cinque/current'],
      Profile::Secret['/etc/cinque/cinque/nats.seed', '/etc/cinque/cinque/cassandra-password',
      '/etc/cinque/cinque/admin-token'],
    ].flatten,
  }
  Unpack::Archive['cinque'] -> Service['cinque-api']
  exec { 'reload certificates of cinque-api':
    command     => '/bin/systemctl kill --signal=HUP --kill-who=main cinque-api',
    refreshonly => true,
    onlyif      => '/bin/systemctl is-active --quiet cinque-api',
    subscribe   => Profile::Secret['/etc/cinque/cinque/public.pem'],
    require     => Service['cinque-api'],
  }
}
