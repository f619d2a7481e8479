# @summary Prometheus with what all hosts of the cell show, and with cinque's rules; what is left of Alertmanager and Grafana
# is where people have them.
#
# @param hosts
#   Names of the checkers that it runs on: with 1 GB of memory or more.
# @param keep
#   For how long, as 30d.
# @param keep_size
#   Disk that it may take, as 8GB.
# @param alertmanagers
#   Who is told of alerts, as 192.0.2.9:9093; checkers tell people of the most important ones by themselves.
# @param exporter
#   Port of node_exporter on all hosts.
# @param host
#   This host.
# @param peers
#   All hosts of the cell.
# @param ports
#   Its ports.
# @param cell
#   Its name.
class profile::prometheus (
  Array[String[1]]             $hosts         = [],
  Pattern[/\A\d+[dwy]\z/]      $keep          = '30d',
  Pattern[/\A\d+[MG]B\z/]      $keep_size     = '8GB',
  Array[String[1]]             $alertmanagers = [],
  Stdlib::Port                 $exporter      = lookup('profile::monitoring::port'),
  Cinque::Host                 $host          = lookup('cinque::host'),
  Array[Cinque::Peer]          $peers         = lookup('cinque::hosts'),
  Cinque::Ports                $ports         = lookup('cinque::ports'),
  String[1]                    $cell          = lookup('cinque::cell'),
) {
  cinque::refuse_former('profile::prometheus::enabled', "profile::prometheus::hosts: ['${host['name']}']")
  if cinque::is_named($host, $hosts, $peers, 'profile::prometheus::hosts', ['checker']) {
    package { 'prometheus': ensure => installed }
    file { '/etc/prometheus/prometheus.yml':
      ensure       => file,
      mode         => '0644',
      content      => epp('profile/prometheus.yml.epp', {
          'hosts'         => $peers,
          'ports'         => $ports,
          'cell'          => $cell,
          'exporter'      => $exporter,
          'alertmanagers' => $alertmanagers,
      }),
      validate_cmd => '/usr/bin/promtool check config %',
      require      => [Package['prometheus'], File['/opt/cinque/current']],
    }
    file { '/etc/default/prometheus':
      ensure  => file,
      mode    => '0644',
      # For this host's own Grafana, or an ssh tunnel: it has no passwords.
      content => "# Written by Puppet.\nARGS=\"--web.listen-address=127.0.0.1:9090 --storage.tsdb.retention.time=${keep} --storage.tsdb.retention.size=${keep_size}\"\n",
      require => Package['prometheus'],
    }
    service { 'prometheus':
      ensure    => running,
      enable    => true,
      subscribe => File['/etc/default/prometheus'],
    }
    exec { 'reload prometheus':
      command     => '/bin/systemctl reload prometheus',
      refreshonly => true,
      onlyif      => '/bin/systemctl is-active --quiet prometheus',
      subscribe   => File['/etc/prometheus/prometheus.yml', '/opt/cinque/current'],
      require     => Service['prometheus'],
    }
  }
}
