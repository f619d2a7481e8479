# @summary Backups. Every db host keeps hard links of its SSTables for some hours, and shows figures of its node; one, whose node has every row, ships
# what is new, encrypted, to a storage elsewhere every two hours, with the inventory, the schema and the secrets, and tries
# every week whether it comes back.
#
# @param directory
#   Where backups are kept: a directory that is mounted from elsewhere. This or `s3`; without both there is no backup.
# @param s3
#   Or a bucket of S3, or of what speaks as S3 does. The secret part of its key is `secrets`/s3.secret.
# @param shipper
#   Host that ships: of a DC with as many replicas as db hosts. Default: the first db host of the first backup DC.
# @param files
#   What is kept besides rows: directories and files.
# @param calendar
#   When backups are made, as systemd.time(7) has it.
# @param drill
#   When the last one is restored to a scratch place and compared.
# @param keep_links
#   So many of the host's own hard-linked copies are kept, one every two hours. They cost the disk what is compacted
#   away meanwhile.
# @param links_below
#   Per cent of the disk in use above which the host keeps no such copies.
# @param cpu_quota
#   Per cent of one processor that the making of a backup has at most (the weekly drill, which reads all rows, has what others
#   leave). Where two processors share a core, the one that is idle is not free either. `~`: all that others leave.
# @param retention
#   Backups that are kept: one every two hours for `hours`, one a day for `days`, one a week for `weeks`.
# @param host
#   This host.
# @param hosts
#   All hosts of the cell.
# @param dcs
#   All DCs.
class profile::backup (
  String[1]                                                                $calendar,
  String[1]                                                                $drill,
  Integer[1, 48]                                                           $keep_links,
  Integer[10, 95]                                                          $links_below,
  Struct[{ hours => Integer[1], days => Integer[1], weeks => Integer[1] }] $retention,
  Optional[Integer[1, 6400]]                                               $cpu_quota = undef,
  Optional[Stdlib::Absolutepath]                                           $directory = undef,
  Optional[Profile::S3]                                                    $s3        = undef,
  Optional[String[1]]                                                      $shipper   = undef,
  Array[Stdlib::Absolutepath]                                              $files     = ['/etc/cinque/inventory.yaml', '/etc/cinque/secrets'],
  Cinque::Host                                                             $host      = lookup('cinque::host'),
  Array[Cinque::Peer]                                                      $hosts     = lookup('cinque::hosts'),
  Array[Cinque::Dc]                                                        $dcs       = lookup('cinque::dcs'),
) {
  $user = 'cinque-backup'
  $config = '/etc/cinque/backup.yaml'
  $secrets = $profile::certificates::secrets
  $exporter = '/var/lib/prometheus/node-exporter'

  group { $user:
    ensure => present,
    system => true,
  }
  user { $user:
    ensure => present,
    system => true,
    gid    => $user,
    home   => '/nonexistent',
    shell  => '/usr/sbin/nologin',
  }
  # Figures of what was done are read there by node_exporter.
  file { $exporter:
    ensure  => directory,
    owner   => 'root',
    group   => $user,
    mode    => '0775',
    require => Package['prometheus-node-exporter'],
  }
  include profile::cinque
  $cinque = ['/usr/local/bin/cinque']
  $programs = [File['/usr/local/bin/cinque', '/opt/cinque/current'], User[$user]].flatten
  # Reads all, and that is all it may: SSTables are Cassandra's, secrets are root's.
  $reads_all = {
    'user'               => $user,
    'capabilities'       => ['CAP_DAC_READ_SEARCH'],
    'writable'           => [$exporter],
    'allow_jit'          => true,
    # Java looks at /proc/meminfo, cpuinfo and sys.
    'just_own_processes' => false,
  }

  file { '/usr/local/sbin/cinque-snapshot':
    ensure  => file,
    mode    => '0755',
    content => epp('profile/snapshot.epp', {
        'keep'    => $keep_links,
        'below'   => $links_below,
        'metrics' => "${exporter}/cinque-snapshot.prom",
    }),
  }
  unit::timer { 'cinque-snapshot':
    description => 'hard links of SSTables',
    commands    => [['/usr/local/sbin/cinque-snapshot']],
    calendar    => '*-*-* 0/2:00:00',
    jitter      => 900,
    require     => [File['/usr/local/sbin/cinque-snapshot'], User[$user]],
    *           => $reads_all,
  }
  unit::timer { 'cinque-figures':
    description     => 'figures of Cassandra for Prometheus',
    commands        => [$cinque + [
        'cassandra', 'figures', '--address', $host['address'], '--dc', $host['dc'],
        '--username', 'cinque', '--password-file', "${secrets}/cassandra-password",
        '--ca', "${secrets}/cassandra-ca.pem", '--cert', "${secrets}/cassandra-client.pem",
        '--key', "${secrets}/cassandra-client.key", '--out', "${exporter}/cassandra.prom",
    ]],
    calendar        => '*-*-* *:*:00',
    jitter          => 30,
    state_directory => 'cinque-figures',
    environment     => { 'NODE_COMPILE_CACHE' => '/var/lib/cinque-figures/compiled' },
    require         => $programs,
    *               => $reads_all,
  }

  $backup_dcs = $dcs.filter |$dc| { $dc['kind'] == 'backup' }.map |$dc| { $dc['name'] }
  $able = $hosts.filter |$one| { 'db' in $one['roles'] and $one['dc'] in $backup_dcs }.map |$one| { $one['name'] }
  $ships = $shipper ? { undef => $able[0], default => $shipper }
  if $directory and $s3 { fail('profile::backup: directory and s3 are both set: one says where backups are kept') }
  $dbs = $hosts.filter |$one| { 'db' in $one['roles'] }.map |$one| { $one['name'] }
  if ($directory or $s3) and !($ships in $dbs) {
    fail("profile::backup::shipper: ${ships} is no db host: nobody would make backups; name one of ${dbs.join(', ')}")
  }
  if $ships == $host['name'] and ($directory or $s3) {
    file { $config:
      ensure  => file,
      owner   => 'root',
      group   => $user,
      mode    => '0640',
      content => epp('profile/backup.yaml.epp', {
          'secrets'   => $secrets,
          'directory' => $directory,
          's3'        => $s3,
          'files'     => $files,
          'exporter'  => $exporter,
          'host'      => $host,
          'retention' => $retention,
      }),
      require => [File['/etc/cinque'], Group[$user]],
    }
    if $directory {
      file { $directory:
        ensure  => directory,
        owner   => $user,
        group   => $user,
        mode    => '0700',
        require => User[$user],
        before  => Service['cinque-backup.timer', 'cinque-drill.timer'],
      }
    }
    $run = $cinque + ['backup', 'run', '--config', $config]
    $task = $reads_all + {
      'writable'        => [$exporter] + ($directory ? { undef => [], default => [$directory] }),
      'state_directory' => 'cinque-backup',
      'environment'     => { 'NODE_COMPILE_CACHE' => '/var/lib/cinque-backup/compiled' },
      'require'         => $programs + [File[$config]],
    }
    unit::timer {
      default:
        * => $task;
      'cinque-backup':
        description => 'backup of all rows',
        commands    => [$run + ['--no-note'], $cinque + ['backup', 'prune', '--config', $config]],
        calendar    => $calendar,
        jitter      => 300,
        cpu_weight  => 1,
        cpu_quota   => $cpu_quota;
      'cinque-drill':
        description   => 'restore of the last backup into a scratch place',
        commands      => [$run + ['--note'], $cinque + ['restore', 'drill', '--config', $config]],
        calendar      => $drill,
        jitter        => 3600,
        timeout_hours => 24;
    }
  } else {
    file { $config: ensure => absent }
    ['cinque-backup', 'cinque-drill'].each |$name| {
      service { "${name}.timer":
        ensure   => stopped,
        enable   => false,
        provider => 'systemd',
      }
      file { ["/etc/systemd/system/${name}.timer", "/etc/systemd/system/${name}.service"]:
        ensure  => absent,
        require => Service["${name}.timer"],
      }
    }
  }
}
