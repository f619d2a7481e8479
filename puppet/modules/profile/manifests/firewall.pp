# @summary Packet filter: what is not named is dropped. The file is checked by nft before it replaces the old one.
#
# From anywhere: what devices, people and resolvers use. From hosts of the cell: what these need of each other.
#
# @param host
#   This host.
# @param hosts
#   All hosts of the cell.
# @param ports
#   Its ports.
# @param admins
#   Networks from which ssh is open besides the cell's own hosts; empty: from anywhere.
class profile::firewall (
  Array[Stdlib::IP::Address] $admins,
  Cinque::Host               $host  = lookup('cinque::host'),
  Array[Cinque::Peer]        $hosts = lookup('cinque::hosts'),
  Cinque::Ports              $ports = lookup('cinque::ports'),
) {
  $exporter = lookup('profile::monitoring::port', Stdlib::Port)
  $brokers = $host['brokers'] - 1
  $dbs = $hosts.filter |$one| { 'db' in $one['roles'] }
  $apps = $hosts.filter |$one| { 'app' in $one['roles'] }
  $checkers = $hosts.filter |$one| { 'checker' in $one['roles'] }

  # Who may come to which ports, by the roles of this host.
  $nobody = { 'public' => [], 'apps' => [], 'dbs' => [], 'hosts' => [], 'checkers' => [] }
  $open = {
    'app'     => $nobody + {
      # 80: whoever issues certificates looks there.
      'public'   => [80, $ports['mqtt'], $ports['mqtts'], $ports['http'], $ports['https']],
      'apps'     => [$ports['gateway']],
      'hosts'    => ["${ports['metrics']}-${ports['metrics'] + $brokers}"],
      'checkers' => ["${ports['mqtt']}-${ports['mqtt'] + $brokers}"],
    },
    'db'      => $nobody + { 'dbs' => [7000], 'hosts' => [9042] },
    'checker' => $nobody + { 'public' => [53, $ports['checker']] },
  }
  $mine = $host['roles'].map |$role| { $open[$role] }
  $from = $nobody.keys.reduce({}) |$all, $who| {
    $all + { $who => unique($mine.map |$one| { $one[$who] }.flatten) }
  }

  package { 'nftables': ensure => installed }
  file { '/etc/nftables.conf':
    ensure       => file,
    mode         => '0644',
    content      => epp('profile/nftables.conf.epp', {
        'sets'   => {
          'hosts'    => $hosts.map |$one| { $one['address'] },
          'dbs'      => $dbs.map |$one| { $one['address'] },
          'apps'     => $apps.map |$one| { $one['address'] },
          'checkers' => $checkers.map |$one| { $one['address'] },
          'admins'   => $admins,
        },
        'public' => $from['public'],
        'dns'    => 'checker' in $host['roles'],
        'ssh'    => $admins.empty,
        'from'   => $from - ['public'] + {
          'hosts'  => $from['hosts'] + [22, $exporter],
          'admins' => [22],
        },
    }),
    validate_cmd => '/usr/sbin/nft -c -f %',
    require      => Package['nftables'],
  }
  service { 'nftables':
    ensure    => running,
    enable    => true,
    restart   => '/bin/systemctl reload nftables',
    subscribe => File['/etc/nftables.conf'],
  }
  # Rules that somebody flushed leave the unit "active (exited)": what counts is the kernel.
  exec { 'load the packet filter':
    command => '/usr/sbin/nft -f /etc/nftables.conf',
    unless  => '/usr/sbin/nft list chain inet cinque input',
    require => Service['nftables'],
  }
}
