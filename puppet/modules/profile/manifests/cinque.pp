# @summary The program itself with the Node that runs it, and what makes a process here a member of the cell.
#
# @param release
#   Name of the release: /opt/cinque/releases/NAME; two are there side by side while one takes over from the other.
# @param source
#   Its tar file.
# @param sha256
#   Checksum of that; needed where it comes from a URL.
# @param host
#   This host.
# @param hosts
#   All hosts of the cell.
# @param dcs
#   All DCs.
# @param ports
#   Ports of the cell.
# @param inventory
#   The cell's inventory, for commands that are run here.
# @param public_url
#   Where people reach the API, as https://api.iot.example.org.
class profile::cinque (
  String[1]                                       $release,
  Variant[Stdlib::Absolutepath, Stdlib::HTTPSUrl] $source     = "/var/cache/cinque/artifacts/cinque-${release}.tar",
  Optional[Pattern[/\A[0-9a-f]{64}\z/]]           $sha256     = undef,
  Cinque::Host                                    $host       = lookup('cinque::host'),
  Array[Cinque::Peer]                             $hosts      = lookup('cinque::hosts'),
  Array[Cinque::Dc]                               $dcs        = lookup('cinque::dcs'),
  Cinque::Ports                                   $ports      = lookup('cinque::ports'),
  String[1]                                       $inventory  = lookup('cinque::inventory'),
  Optional[Stdlib::HTTPUrl]                       $public_url = lookup('cinque::public_url', { 'default_value' => undef }),
) {
  $secrets = $profile::certificates::secrets
  $directory = "/opt/cinque/releases/${release}"

  ensure_resource('file', '/opt/cinque', { 'ensure' => 'directory', 'mode' => '0755' })
  file { '/opt/cinque/releases':
    ensure => directory,
    mode   => '0755',
  }
  unpack::archive { 'cinque':
    directory => $directory,
    source    => $source,
    sha256    => $sha256,
  }
  file { '/opt/cinque/current':
    ensure  => link,
    target  => $directory,
    require => Unpack::Archive['cinque'],
  }
  file { '/usr/local/bin/cinque':
    ensure  => file,
    mode    => '0755',
    content => "#!/bin/sh\n# Cassandra's jars, for drills, are with the other programs.\nexport CINQUE_ENGINES=\"\${CINQUE_ENGINES:-/opt/cinque}\"\nexec /opt/cinque/current/bin/node /opt/cinque/current/scripts/cinque.js \"\$@\"\n",
  }
  file { '/etc/cinque/inventory.yaml':
    ensure  => file,
    mode    => '0644',
    content => "# Written by Puppet.\n${inventory}",
    require => File['/etc/cinque'],
  }
  group { 'cinque':
    ensure => present,
    system => true,
  }
  user { 'cinque':
    ensure => present,
    system => true,
    gid    => 'cinque',
    home   => '/nonexistent',
    shell  => '/usr/sbin/nologin',
  }
  file { '/etc/cinque/cinque':
    ensure  => directory,
    owner   => 'root',
    group   => 'cinque',
    mode    => '0750',
    require => Group['cinque'],
  }
  $copies = {
    'ca.pem'               => "${secrets}/ca.pem",
    'cassandra-ca.pem'     => "${secrets}/cassandra-ca.pem",
    'cassandra-client.pem' => "${secrets}/cassandra-client.pem",
    'cassandra-client.key' => "${secrets}/cassandra-client.key",
    'cassandra-password'   => "${secrets}/cassandra-password",
    'nats.seed'            => "${secrets}/nats.seed",
    'admin-token'          => "${secrets}/admin-token",
  } + $profile::certificates::public
  if 'app' in $host['roles'] {
    $copies.each |$name, $from| {
      profile::secret { "/etc/cinque/cinque/${name}":
        source => $from,
        owner  => 'cinque',
      }
    }
    # Brokers have nats-server and Cassandra of their own DC, and go with it.
    $contact_points = $hosts.filter |$one| { $one['dc'] == $host['dc'] and 'db' in $one['roles'] }
    file { '/etc/cinque/cinque/member.yaml':
      ensure  => file,
      owner   => 'root',
      group   => 'cinque',
      mode    => '0640',
      content => epp('profile/member.yaml.epp', {
          'host'           => $host,
          'contact_points' => $contact_points.map |$one| { $one['address'] },
          'dc_numbers'     => $dcs.map |$one| { $one['number'] },
          'nats_port'      => $ports['nats'],
          'public_url'     => $public_url,
      }),
    }
    file { '/etc/cinque/cinque/broker.yaml':
      ensure  => file,
      owner   => 'root',
      group   => 'cinque',
      mode    => '0640',
      content => epp('profile/broker.yaml.epp'),
    }
  }
}
