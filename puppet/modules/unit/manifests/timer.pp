# @summary Commands that are run at times, one after the other, with low priority and hardened as a service is.
#
# @param description
#   One line about them.
# @param commands
#   Programs with their arguments, run without a shell; the first that fails ends it.
# @param calendar
#   When, as systemd.time(7) has it.
# @param jitter
#   Seconds by which it may be later: as many every time, others on another host.
# @param user
#   User and group that it runs as.
# @param environment
#   Variables.
# @param state_directory
#   Below /var/lib, its own; writable.
# @param writable
#   Other directories that it may write to.
# @param capabilities
#   Those that it keeps.
# @param timeout_hours
#   After which it is ended, and has failed.
# @param cpu_weight
#   What it has of the processors where all are busy; a service has 100.
# @param cpu_quota
#   Per cent of one processor that it has at most. Default: all that others leave.
# @param allow_jit
#   Node and Java write code into memory and execute it.
# @param just_own_processes
#   Sees no other processes, nor files of /proc that are not about processes.
define unit::timer (
  String[1]                         $description,
  Array[Array[String[1], 1], 1]     $commands,
  String[1]                         $calendar,
  String[1]                         $user,
  Integer[0, 86400]                 $jitter             = 60,
  Hash[String[1], String]           $environment        = {},
  Optional[String[1]]               $state_directory    = undef,
  Array[Stdlib::Absolutepath]       $writable           = [],
  Array[Pattern[/\ACAP_[A-Z_]+\z/]] $capabilities       = [],
  Integer[1, 48]                    $timeout_hours      = 6,
  Integer[1, 10000]                 $cpu_weight         = 10,
  Optional[Integer[1, 6400]]        $cpu_quota          = undef,
  Boolean                           $allow_jit          = false,
  Boolean                           $just_own_processes = true,
) {
  file {
    default:
      ensure => file,
      owner  => 'root',
      group  => 'root',
      mode   => '0644';
    "/etc/systemd/system/${title}.service":
      content => epp('unit/task.epp', {
          'description'        => $description,
          'commands'           => $commands,
          'user'               => $user,
          'environment'        => $environment,
          'state_directory'    => $state_directory,
          'writable'           => $writable,
          'capabilities'       => $capabilities,
          'timeout_hours'      => $timeout_hours,
          'cpu_weight'         => $cpu_weight,
          'cpu_quota'          => $cpu_quota,
          'allow_jit'          => $allow_jit,
          'just_own_processes' => $just_own_processes,
      });
    "/etc/systemd/system/${title}.timer":
      content => epp('unit/timer.epp', {
          'description' => $description,
          'calendar'    => $calendar,
          'jitter'      => $jitter,
      });
  }
  # Only a change of the timer itself would have systemd read the service anew.
  exec { "systemctl daemon-reload for ${title}":
    command     => '/bin/systemctl daemon-reload',
    refreshonly => true,
    subscribe   => File["/etc/systemd/system/${title}.service"],
    before      => Service["${title}.timer"],
  }
  service { "${title}.timer":
    ensure    => running,
    enable    => true,
    provider  => 'systemd',
    subscribe => File["/etc/systemd/system/${title}.timer"],
    require   => File["/etc/systemd/system/${title}.service"],
  }
}
