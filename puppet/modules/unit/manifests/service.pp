# @summary A hardened systemd service: no capabilities, nothing of the host to see or write but what it names.
#
# Starting does not wait for the service: what it needs may be on another host, and comes when it comes.
#
# @param description
#   One line about it.
# @param command
#   Program and arguments, run without a shell.
# @param user
#   User and group; made here when `manage_user`.
# @param manage_user
#   False where a package makes the user.
# @param type
#   `notify`: it says itself when it is ready; `exec`: it is ready when it runs.
# @param watchdog
#   Seconds of silence after which it is killed and started again; it must say that it lives. For `notify`.
# @param environment
#   Variables.
# @param environment_files
#   Files with variables, of which secrets are made.
# @param start_post
#   Command that ends when it is ready, for services that cannot say so.
# @param after
#   Units that are started before it, if they are to run.
# @param state_directory
#   Below /var/lib, its own; writable.
# @param writable
#   Other directories that it may write to.
# @param capabilities
#   Those that it keeps, as CAP_NET_BIND_SERVICE.
# @param memory_max
#   Memory above which it is killed.
# @param open_files
#   Limit of open files and sockets.
# @param stop_seconds
#   How long it may take to drain.
# @param allow_jit
#   Node and Java write code into memory and execute it.
# @param just_own_processes
#   Sees no other processes, nor files of /proc that are not about processes.
# @param subscribe_to
#   Resources whose change restarts it.
define unit::service (
  String[1]                              $description,
  Array[String[1], 1]                    $command,
  String[1]                              $user               = $title,
  Boolean                                $manage_user        = true,
  Enum['notify', 'exec']                 $type               = 'exec',
  Optional[Integer[1, 600]]              $watchdog           = undef,
  Hash[String[1], String]                $environment        = {},
  Array[Stdlib::Absolutepath]            $environment_files  = [],
  Optional[String[1]]                    $start_post         = undef,
  Array[String[1]]                       $after              = [],
  Optional[String[1]]                    $state_directory    = undef,
  Array[Stdlib::Absolutepath]            $writable           = [],
  Array[Pattern[/\ACAP_[A-Z_]+\z/]]      $capabilities       = [],
  Optional[String[1]]                    $memory_max         = undef,
  Integer[1024, 1048576]                 $open_files         = 200000,
  Integer[1, 600]                        $stop_seconds       = 60,
  Boolean                                $allow_jit          = false,
  Boolean                                $just_own_processes = true,
  Array[Type[Catalogentry]]              $subscribe_to       = [],
) {
  if $manage_user {
    ensure_resource('group', $user, { 'ensure' => 'present', 'system' => true })
    ensure_resource('user', $user, {
        'ensure'  => 'present',
        'system'  => true,
        'gid'     => $user,
        'home'    => '/nonexistent',
        'shell'   => '/usr/sbin/nologin',
        'require' => Group[$user],
    })
    User[$user] -> Service[$title]
  }
  file { "/etc/systemd/system/${title}.service":
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => epp('unit/service.epp', {
        'description'        => $description,
        'command'            => $command,
        'user'               => $user,
        'type'               => $type,
        'watchdog'           => $watchdog,
        'environment'        => $environment,
        'environment_files'  => $environment_files,
        'start_post'         => $start_post,
        'after'              => $after,
        'state_directory'    => $state_directory,
        'writable'           => $writable,
        'capabilities'       => $capabilities,
        'memory_max'         => $memory_max,
        'open_files'         => $open_files,
        'stop_seconds'       => $stop_seconds,
        'allow_jit'          => $allow_jit,
        'just_own_processes' => $just_own_processes,
    }),
  }
  service { $title:
    ensure    => running,
    enable    => true,
    start     => "/bin/systemctl start --no-block ${title}",
    restart   => "/bin/systemctl restart --no-block ${title}",
    # What is on its way up, or waits for its next try, needs no second start.
    status    => "/bin/systemctl show --property=ActiveState --value ${title} | /bin/grep --quiet --line-regexp -e active -e activating -e reloading",
    provider  => 'systemd',
    subscribe => [File["/etc/systemd/system/${title}.service"]] + $subscribe_to,
  }
}
