# @summary Does what schedules say: restarts, reinstalls, backups, drills, and goes on with rolls whose runner has died. On two
# hosts or more, in different DCs; each time is done by one of them.
#
# What it needs is brought here with the other secrets, in `secrets`/operator: `inventory.yaml`, `ssh_config` with its key and the
# authority of hosts, `secrets/HOST` and `local.yaml` for hosts that are made anew, and `operator.env` with CINQUE_URL and
# CINQUE_TOKEN of an administrator of the platform.
#
# @param hosts
#   Names of the hosts that it runs on. Others keep nothing of it.
# @param directory
#   Where all that is given to the service.
# @param metrics
#   Port of its Prometheus metrics, on this host's loopback.
# @param rebuild
#   Shell command that has the provider make CINQUE_HOST at CINQUE_ADDRESS anew. Without it nothing is reinstalled.
# @param backup
#   Shell command of the schedules' job backup.
# @param drill
#   And of job drill.
# @param host
#   This host.
# @param peers
#   All hosts of the cell.
class profile::operator (
  Array[String[1]]     $hosts     = [],
  Stdlib::Absolutepath $directory = '/etc/cinque/operator',
  Stdlib::Port         $metrics   = 9184,
  Optional[String[1]]  $rebuild   = undef,
  Optional[String[1]]  $backup    = undef,
  Optional[String[1]]  $drill     = undef,
  Cinque::Host         $host      = lookup('cinque::host'),
  Array[Cinque::Peer]  $peers     = lookup('cinque::hosts'),
) {
  if cinque::is_named($host, $hosts, $peers, 'profile::operator::hosts', ['app', 'checker']) {
    $user = 'cinque-operator'
    $options = {
      '--rebuild' => $rebuild,
      '--backup'  => $backup,
      '--drill'   => $drill,
    }.filter |$name, $value| { $value }
    file { $directory:
      ensure    => directory,
      owner     => $user,
      group     => $user,
      mode      => '0400',
      recurse   => true,
      source    => "file://${profile::certificates::secrets}/operator",
      show_diff => false,
      backup    => false,
      require   => User[$user],
    }
    unit::service { 'cinque-operator':
      description       => 'cinque operator',
      command           => [
        '/opt/cinque/current/bin/node', '/opt/cinque/current/scripts/cinque.js', 'operator',
        '--inventory', "${directory}/inventory.yaml", '--metrics', "127.0.0.1:${metrics}",
      ] + flatten($options.map |$name, $value| { [$name, $value] }),
      user              => $user,
      environment       => { 'NODE_COMPILE_CACHE' => '/var/lib/cinque-operator/compiled', 'HOME' => '/var/lib/cinque-operator' },
      environment_files => ["${directory}/operator.env"],
      state_directory   => 'cinque-operator',
      memory_max        => '512M',
      # A roll that is under way is left to another one; that takes a moment.
      stop_seconds      => 60,
      allow_jit         => true,
      subscribe_to      => [File[$directory], File['/opt/cinque/current']],
    }
  } else {
    # What it had opens every host.
    service { 'cinque-operator':
      ensure   => stopped,
      enable   => false,
      provider => 'systemd',
    }
    file { ['/etc/systemd/system/cinque-operator.service', $directory, "${profile::certificates::secrets}/operator"]:
      ensure    => absent,
      force     => true,
      show_diff => false,
      backup    => false,
      require   => Service['cinque-operator'],
    }
  }
}
