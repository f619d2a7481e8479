# @summary A copy of a secret, readable by one service only; a change restarts or reloads who subscribes to it.
#
# @param source
#   File on this host.
# @param owner
#   User of the service.
define profile::secret (
  Stdlib::Absolutepath $source,
  String[1]            $owner,
) {
  file { $title:
    ensure    => file,
    owner     => $owner,
    group     => $owner,
    mode      => '0400',
    source    => "file://${source}",
    show_diff => false,
    backup    => false,
  }
}
