# @summary Cassandra from the jars of Maven Central, for a host with 4 GB: PEM certificates on all its connections,
# passwords, JMX for this host only.
#
# @param version
#   Of the program.
# @param heap_mb
#   Java's heap. Off it are memtables, caches and the files' pages.
# @param young_mb
#   Of that: where new objects are made.
# @param memtable_mb
#   What is written is kept so large before it is flushed, on the heap and off it each.
# @param source
#   Tar file with `jars/`.
# @param sha256
#   Checksum of that; needed where it comes from a URL.
# @param replace
#   This host had data before and has lost them: it takes its own place and gets its rows from the others. It may stay so
#   for as long as the disk: a node that has its rows starts as ever.
# @param java
#   Java 17 to 23.
# @param java_options
#   Java's options beyond ours.
# @param settings
#   Entries of cassandra.yaml beyond ours.
# @param cell
#   Name of the cell.
# @param host
#   This host.
# @param hosts
#   All hosts of the cell.
class profile::cassandra (
  Pattern[/\A\d+\.\d+\.\d+\z/]                    $version,
  Integer[128, 31000]                             $heap_mb,
  Integer[32, 16000]                              $young_mb,
  Integer[16, 8000]                               $memtable_mb,
  Variant[Stdlib::Absolutepath, Stdlib::HTTPSUrl] $source   = '/var/cache/cinque/artifacts/cassandra.tar',
  Optional[Pattern[/\A[0-9a-f]{64}\z/]]           $sha256   = undef,
  Boolean                                         $replace  = false,
  Stdlib::Absolutepath                            $java     = '/usr/bin/java',
  Array[Pattern[/\A-\S+\z/]]                      $java_options = [],
  Hash[String[1], Data]                           $settings = {},
  String[1]                                       $cell     = lookup('cinque::cell'),
  Cinque::Host                                    $host     = lookup('cinque::host'),
  Array[Cinque::Peer]                             $hosts    = lookup('cinque::hosts'),
) {
  $secrets = $profile::certificates::secrets
  $directory = "/opt/cinque/cassandra-${version}"
  # The first of each DC is asked who is there. One that takes its place again must not ask itself.
  $dbs = $hosts.filter |$one| { 'db' in $one['roles'] and !($replace and $one['name'] == $host['name']) }
  $seeds = unique($dbs.map |$one| { $one['dc'] }).map |$dc| {
    $dbs.filter |$one| { $one['dc'] == $dc }[0]['address']
  }

  if $replace and $seeds.empty {
    fail("profile::cassandra::replace: there is no other db host that ${host['name']} could get its rows from: restore a backup")
  }

  # Each Debian has one that Cassandra runs on. From 18 on Java has to be told that Cassandra brings a security manager.
  $java_version = $facts['os']['release']['major'] ? {
    '12'    => 17,
    default => 21,
  }
  $java_needs = $java_version ? {
    17      => [],
    default => ['-Djava.security.manager=allow'],
  }
  package { "openjdk-${java_version}-jre-headless": ensure => installed }
  ensure_resource('file', '/opt/cinque', { 'ensure' => 'directory', 'mode' => '0755' })
  unpack::archive { 'cassandra':
    directory => $directory,
    source    => $source,
    sha256    => $sha256,
  }
  file { '/etc/cinque/cassandra':
    ensure  => directory,
    owner   => 'root',
    group   => 'cassandra',
    mode    => '0750',
    require => Group['cassandra'],
  }
  $copies = { 'identity.pem' => 'cassandra.pem', 'ca.pem' => 'cassandra-ca.pem' }
  $copies.each |$name, $from| {
    profile::secret { "/etc/cinque/cassandra/${name}":
      source => "${secrets}/${from}",
      owner  => 'cassandra',
      before => Service['cassandra'],
    }
  }
  file {
    default:
      ensure => file,
      owner  => 'root',
      group  => 'cassandra',
      mode   => '0640';
    '/etc/cinque/cassandra/cassandra.yaml':
      content => epp('profile/cassandra.yaml.epp', {
          'cell'        => $cell,
          'address'     => $host['address'],
          'seeds'       => $seeds,
          'memtable_mb' => $memtable_mb,
          'settings'    => $settings,
      });
    '/etc/cinque/cassandra/rackdc.properties':
      content => "dc=${host['dc']}\nrack=${host['rack']}\n";
    '/etc/cinque/cassandra/logback.xml':
      content => epp('profile/logback.xml.epp');
    '/etc/cinque/cassandra/java.options':
      content => epp('profile/cassandra.options.epp', {
          'directory' => $directory,
          'address'   => $host['address'],
          'heap_mb'   => $heap_mb,
          'young_mb'  => $young_mb,
          'replace'   => $replace,
          'more'      => $java_needs + $java_options,
      });
  }
  file { '/usr/local/bin/nodetool':
    ensure  => file,
    mode    => '0755',
    content => epp('profile/nodetool.epp', { 'java' => $java }),
  }
  file { '/usr/local/bin/sstableloader':
    ensure  => file,
    mode    => '0755',
    content => epp('profile/sstableloader.epp', { 'java' => $java, 'secrets' => $secrets }),
  }
  file { '/etc/cinque/cassandra/nodetool.options':
    ensure  => file,
    mode    => '0644',
    content => epp('profile/nodetool.options.epp', { 'directory' => $directory, 'more' => $java_needs }),
  }
  unit::service { 'cassandra':
    description        => 'Cassandra',
    command            => [$java, '@/etc/cinque/cassandra/java.options', 'org.apache.cassandra.service.CassandraDaemon'],
    environment        => { 'MALLOC_ARENA_MAX' => '2' },
    # It runs before it serves: minutes after a long absence, and as long as it takes when it gets all its rows anew.
    start_post         => "/bin/bash -c 'until : 2>/dev/null >/dev/tcp/${host['address']}/9042; do sleep 0.5; done'",
    state_directory    => 'cassandra',
    stop_seconds       => 120,
    allow_jit          => true,
    # Java looks at /proc/meminfo, cpuinfo and sys.
    just_own_processes => false,
    subscribe_to       => [
      File['/etc/cinque/cassandra/cassandra.yaml', '/etc/cinque/cassandra/rackdc.properties',
      '/etc/cinque/cassandra/java.options'],
      Unpack::Archive['cassandra'],
    ].flatten,
  }
  Package["openjdk-${java_version}-jre-headless"] -> Service['cassandra']
}
