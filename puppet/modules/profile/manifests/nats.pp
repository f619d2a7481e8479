# @summary nats-server of an app host, a cluster of its own in a mesh of gateways (docs/cluster.md).
#
# @param version
#   Of the program.
# @param memory_limit
#   Above it Go gives memory back.
# @param source
#   Tar file with the program.
# @param sha256
#   Checksum of that; needed where it comes from a URL.
# @param host
#   This host.
# @param hosts
#   All hosts of the cell.
# @param ports
#   Ports of the cell.
class profile::nats (
  Pattern[/\A\d+\.\d+\.\d+\z/]                    $version,
  Pattern[/\A\d+MiB\z/]                           $memory_limit,
  Variant[Stdlib::Absolutepath, Stdlib::HTTPSUrl] $source = '/var/cache/cinque/artifacts/nats-server.tar',
  Optional[Pattern[/\A[0-9a-f]{64}\z/]]           $sha256 = undef,
  Cinque::Host                                    $host   = lookup('cinque::host'),
  Array[Cinque::Peer]                             $hosts  = lookup('cinque::hosts'),
  Cinque::Ports                                   $ports  = lookup('cinque::ports'),
) {
  $secrets = $profile::certificates::secrets
  $directory = "/opt/cinque/nats-server-${version}"
  $apps = $hosts.filter |$one| { 'app' in $one['roles'] }

  ensure_resource('file', '/opt/cinque', { 'ensure' => 'directory', 'mode' => '0755' })
  unpack::archive { 'nats-server':
    directory => $directory,
    source    => $source,
    sha256    => $sha256,
  }
  file { '/etc/cinque/nats':
    ensure  => directory,
    owner   => 'root',
    group   => 'nats',
    mode    => '0750',
    require => Group['nats'],
  }
  ['ca.pem', 'host.pem', 'host.key'].each |$name| {
    profile::secret { "/etc/cinque/nats/${name}":
      source => "${secrets}/${name}",
      owner  => 'nats',
      before => Service['cinque-nats'],
    }
  }
  file { '/etc/cinque/nats/nats.conf':
    ensure  => file,
    owner   => 'root',
    group   => 'nats',
    mode    => '0640',
    content => epp('profile/nats.conf.epp', { 'host' => $host, 'apps' => $apps, 'ports' => $ports }),
  }
  unit::service { 'cinque-nats':
    description       => 'nats-server: live messages between the processes of the cell',
    command           => ["${directory}/nats-server", '-c', '/etc/cinque/nats/nats.conf'],
    user              => 'nats',
    environment       => { 'GOMEMLIMIT' => $memory_limit },
    # By systemd, as root: the password of the gateways, and the public key of this host's processes.
    environment_files => ["${secrets}/nats.env"],
    memory_max        => '512M',
    subscribe_to      => [File['/etc/cinque/nats/nats.conf'], Unpack::Archive['nats-server']],
  }
}
