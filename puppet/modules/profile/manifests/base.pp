# @summary What every host has: kernel settings, time, security updates, people.
#
# @param sysctl
#   Kernel settings; those that a container may not set are left alone there.
# @param ntp_servers
#   Time servers. Clocks that differ by more than 5 s stop brokers from taking messages.
# @param upgrade_time
#   When security updates are installed, HH:MM; hosts differ by up to an hour.
# @param operators
#   Accounts of people who may do everything by sudo, over ssh with a certificate in their name.
class profile::base (
  Hash[String[1], Variant[Integer, String[1]]] $sysctl,
  Array[Stdlib::Host, 1]                       $ntp_servers,
  Pattern[/\A[0-2][0-9]:[0-5][0-9]\z/]         $upgrade_time,
  Array[Pattern[/\A[a-z][a-z0-9-]{0,31}\z/]]   $operators = [],
) {
  $container = $facts['virtual'] == 'systemd_nspawn'

  file { '/etc/cinque':
    ensure => directory,
    mode   => '0755',
  }
  file { '/etc/sysctl.d/60-cinque.conf':
    ensure  => file,
    mode    => '0644',
    # A minus: one that the kernel lacks or a container may not set is no failure.
    content => $sysctl.map |$key, $value| { "-${key} = ${value}\n" }.join,
    notify  => Exec['apply sysctl'],
  }
  exec { 'apply sysctl':
    command     => '/usr/lib/systemd/systemd-sysctl /etc/sysctl.d/60-cinque.conf',
    refreshonly => true,
  }

  package { ['chrony', 'unattended-upgrades', 'curl', 'ca-certificates']:
    ensure => installed,
  }
  file { '/etc/chrony/chrony.conf':
    ensure  => file,
    mode    => '0644',
    content => epp('profile/chrony.conf.epp', { 'servers' => $ntp_servers }),
    require => Package['chrony'],
  }
  # A container has its host's clock, and chronyd is not started there.
  unless $container {
    service { 'chrony':
      ensure    => running,
      enable    => true,
      subscribe => File['/etc/chrony/chrony.conf'],
    }
  }

  file { '/etc/apt/apt.conf.d/60cinque-upgrades':
    ensure  => file,
    mode    => '0644',
    content => epp('profile/upgrades.conf.epp'),
    require => Package['unattended-upgrades'],
  }
  file { '/etc/systemd/system/apt-daily-upgrade.timer.d':
    ensure => directory,
  }
  file { '/etc/systemd/system/apt-daily-upgrade.timer.d/cinque.conf':
    ensure  => file,
    mode    => '0644',
    content => "[Timer]\nOnCalendar=\nOnCalendar=*-*-* ${upgrade_time}\nRandomizedDelaySec=1h\n",
  }

  unless $operators.empty {
    package { 'sudo': ensure => installed }
    group { 'operators': ensure => present }
    user { $operators:
      ensure         => present,
      groups         => ['operators'],
      shell          => '/bin/bash',
      managehome     => true,
      # Nobody logs in by password.
      password       => '*',
      purge_ssh_keys => true,
      require        => Group['operators'],
    }
    file { '/etc/sudoers.d/operators':
      ensure       => file,
      mode         => '0440',
      content      => "%operators ALL=(ALL:ALL) NOPASSWD: ALL\n",
      validate_cmd => '/usr/sbin/visudo -cf %',
      require      => Package['sudo'],
    }
  }
}
