# @summary Figures of the host for Prometheus: processor, memory, disk, network, services.
#
# @param port
#   Where they are served, for hosts of the cell (profile::firewall).
# @param host
#   This host.
class profile::monitoring (
  Stdlib::Port $port,
  Cinque::Host $host = lookup('cinque::host'),
) {
  $host_part = $host['address'] ? {
    Stdlib::IP::Address::V6::Nosubnet => "[${host['address']}]",
    default                           => $host['address'],
  }
  package { 'prometheus-node-exporter': ensure => installed }
  file { '/etc/default/prometheus-node-exporter':
    ensure  => file,
    mode    => '0644',
    content => "# Written by Puppet.\nARGS=\"--web.listen-address=${host_part}:${port} --collector.systemd --collector.systemd.unit-include=(cinque-.*|cassandra|ssh|nftables|chrony)\\.service\"\n",
    require => Package['prometheus-node-exporter'],
  }
  service { 'prometheus-node-exporter':
    ensure    => running,
    enable    => true,
    subscribe => File['/etc/default/prometheus-node-exporter'],
  }
}
