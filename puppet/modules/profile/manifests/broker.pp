# @summary MQTT: a broker process for each core, all on the same port for TLS, each a member of the cell.
#
# @param heap_mb
#   What JavaScript objects of a process may take; connections come on top.
# @param host
#   This host.
# @param ports
#   Ports of the cell.
class profile::broker (
  Integer[128, 65536] $heap_mb,
  Cinque::Host        $host  = lookup('cinque::host'),
  Cinque::Ports       $ports = lookup('cinque::ports'),
) {
  $capabilities = [$ports['mqtt'], $ports['mqtts']].any |$port| { $port < 1024 } ? {
    true    => ['CAP_NET_BIND_SERVICE'],
    default => [],
  }
  $host_part = $host['address'] ? {
    Stdlib::IP::Address::V6::Nosubnet => "[${host['address']}]",
    default                           => $host['address'],
  }
  Integer[1, $host['brokers']].each |$number| {
    $offset = $number - 1
    unit::service { "cinque-broker${number}":
      description     => "cinque MQTT broker ${number}",
      command         => [
        '/opt/cinque/current/bin/node', '--single-threaded-gc', "--max-old-space-size=${heap_mb}",
        '/opt/cinque/current/scripts/cinque.js', 'broker',
        '--cell', '/etc/cinque/cinque/member.yaml', '--name', "${host['name']}-broker${number}",
        '--config', '/etc/cinque/cinque/broker.yaml',
        '--listen', "tcp://${host_part}:${ports['mqtt'] + $offset}",
        '--listen', "tls://${host_part}:${ports['mqtts']}?reuse_port=1",
        '--metrics', "${host_part}:${ports['metrics'] + $offset}",
      ],
      user            => 'cinque',
      manage_user     => false,
      type            => 'notify',
      watchdog        => 30,
      after           => ['cinque-nats.service', 'cassandra.service'],
      environment     => { 'NODE_COMPILE_CACHE' => "/var/lib/cinque-broker${number}/compiled" },
      state_directory => "cinque-broker${number}",
      capabilities    => $capabilities,
      memory_max      => "${$heap_mb * 2}M",
      allow_jit       => true,
      subscribe_to    => [
        File['/etc/cinque/cinque/member.yaml', '/etc/cinque/cinque/broker.yaml', '/opt/cinque/current'],
        Profile::Secret['/etc/cinque/cinque/nats.seed', '/etc/cinque/cinque/cassandra-password'],
      ].flatten,
    }
    Unpack::Archive['cinque'] -> Service["cinque-broker${number}"]
    # Certificates are read again without anybody being disconnected.
    exec { "reload certificates of cinque-broker${number}":
      command     => "/bin/systemctl kill --signal=HUP --kill-who=main cinque-broker${number}",
      refreshonly => true,
      onlyif      => "/bin/systemctl is-active --quiet cinque-broker${number}",
      subscribe   => Profile::Secret['/etc/cinque/cinque/public.pem'],
      require     => Service["cinque-broker${number}"],
    }
  }
}
