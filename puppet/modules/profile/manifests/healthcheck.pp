# @summary A checker: looks at all hosts as a device and as a user, votes, answers DNS.
#
# Its keys and its configuration are made by `cinque healthcheck provision` when the API runs for the first time, and are
# brought here with the other secrets; until then the host has everything but the service.
#
# @param provisioned
#   Whether `secrets`/checker is there.
# @param directory
#   Where it is given to the service.
# @param host
#   This host.
# @param ports
#   Ports of the cell.
class profile::healthcheck (
  Boolean              $provisioned = false,
  Stdlib::Absolutepath $directory   = '/etc/cinque/healthcheck',
  Cinque::Host         $host        = lookup('cinque::host'),
  Cinque::Ports        $ports       = lookup('cinque::ports'),
) {
  if $provisioned {
    $gdnsd = $profile::gdnsd::enabled ? {
      true    => ['--set', "gdnsd.states_file=${profile::gdnsd::states}"],
      default => [],
    }
    $writable = $profile::gdnsd::enabled ? {
      true    => [dirname($profile::gdnsd::states)],
      default => [],
    }
    file { $directory:
      ensure    => directory,
      owner     => 'cinque',
      group     => 'cinque',
      mode      => '0400',
      recurse   => true,
      source    => "file://${profile::certificates::secrets}/checker",
      show_diff => false,
      backup    => false,
      require   => User['cinque'],
    }
    # Its history and the last overrides outlive a new configuration.
    file { "${directory}/state":
      ensure => link,
      target => '/var/lib/cinque-healthcheck',
    }
    unit::service { 'cinque-healthcheck':
      description     => 'cinque checker',
      command         => [
        '/opt/cinque/current/bin/node', '--single-threaded-gc', '--max-semi-space-size=1',
        '--optimize-for-size', '--max-old-space-size=128',
        '/opt/cinque/current/scripts/cinque.js', 'healthcheck', '--config', "${directory}/checker.yaml",
      ] + $gdnsd,
      user            => 'cinque',
      manage_user     => false,
      type            => 'notify',
      watchdog        => 30,
      environment     => {
        'NODE_COMPILE_CACHE' => '/var/lib/cinque-healthcheck/compiled',
        'MALLOC_ARENA_MAX'   => '1',
      },
      state_directory => 'cinque-healthcheck',
      writable        => $writable,
      # Port 53.
      capabilities    => ['CAP_NET_BIND_SERVICE'],
      memory_max      => '512M',
      allow_jit       => true,
      subscribe_to    => [File[$directory], File['/opt/cinque/current'], File['/etc/cinque/inventory.yaml']],
    }
    Unpack::Archive['cinque'] -> Service['cinque-healthcheck']
    if $profile::gdnsd::enabled {
      File[dirname($profile::gdnsd::states)] -> Service['cinque-healthcheck']
    }
  }
}
