# @summary gdnsd as a name server of the zone, on the host of a checker, which tells it who is up.
#
# Instead of the checker's own name server (`dns` in its configuration); only one of both has port 53.
#
# @param hosts
#   Names of the checkers that it runs beside.
# @param places
#   File on this host with networks and where they are (docs/dns.md); without it and `geoip2` nobody's place is known.
# @param geoip2
#   GeoIP2 database of countries or cities on this host.
# @param host
#   This host.
# @param peers
#   All hosts of the cell.
class profile::gdnsd (
  Array[String[1]]               $hosts  = [],
  Optional[Stdlib::Absolutepath] $places = undef,
  Optional[Stdlib::Absolutepath] $geoip2 = undef,
  Cinque::Host                   $host   = lookup('cinque::host'),
  Array[Cinque::Peer]            $peers  = lookup('cinque::hosts'),
) {
  cinque::refuse_former('profile::gdnsd::enabled', "profile::gdnsd::hosts: ['${host['name']}']")
  $enabled = cinque::is_named($host, $hosts, $peers, 'profile::gdnsd::hosts', ['checker'])
  # Where the checker writes who is up; profile::healthcheck tells it.
  $states = '/var/lib/gdnsd/extfile/cinque'

  if $enabled {
    package { 'gdnsd': ensure => installed }
    file { dirname($states):
      ensure  => directory,
      owner   => 'cinque',
      group   => 'cinque',
      mode    => '0755',
      require => [Package['gdnsd'], User['cinque']],
    }
    $host_part = $host['address'] ? {
      Stdlib::IP::Address::V6::Nosubnet => "[${host['address']}]",
      default                           => $host['address'],
    }
    file { '/usr/local/sbin/cinque-gdnsd':
      ensure  => file,
      mode    => '0755',
      content => epp('profile/gdnsd.epp', {
          'listen' => "${host_part}:53",
          'places' => $places,
          'geoip2' => $geoip2,
      }),
    }
    exec { 'write the configuration of gdnsd':
      command => '/usr/local/sbin/cinque-gdnsd',
      unless  => '/usr/local/sbin/cinque-gdnsd --check',
      require => [
        Package['gdnsd'],
        File['/usr/local/sbin/cinque-gdnsd', '/usr/local/bin/cinque', '/opt/cinque/current', '/etc/cinque/inventory.yaml'],
      ],
      notify  => Service['gdnsd'],
    }
    service { 'gdnsd':
      ensure  => running,
      enable  => true,
      require => File[dirname($states)],
    }
  }
}
