# @summary Logs are in the journal, kept over restarts, with an end to their size and age.
#
# @param max_size
#   Disk that they may take.
# @param max_age
#   When they go.
class profile::logs (
  Pattern[/\A\d+[KMG]\z/]                            $max_size,
  Pattern[/\A\d+(day|week|month)\z/]                 $max_age,
) {
  file { '/etc/systemd/journald.conf.d':
    ensure => directory,
  }
  file { '/etc/systemd/journald.conf.d/60-cinque.conf':
    ensure  => file,
    mode    => '0644',
    # A burst of one service is cut before it takes the place of all others.
    content => "[Journal]\nStorage=persistent\nSystemMaxUse=${max_size}\nMaxRetentionSec=${max_age}\nRateLimitIntervalSec=30s\nRateLimitBurst=20000\n",
    notify  => Exec['restart journald'],
  }
  exec { 'restart journald':
    command     => '/bin/systemctl restart systemd-journald',
    refreshonly => true,
  }
}
