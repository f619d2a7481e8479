# @summary Whether a host is among those that are named. Fails where one is named that is not there, or has none of the roles:
# what was to run there would run nowhere.
#
# @param host
#   The host in question.
# @param names
#   Those that are named.
# @param peers
#   All hosts of the cell.
# @param field
#   Where they are named, as profile::gdnsd::hosts.
# @param roles
#   A host that is named has one of them.
# @return [Boolean]
function cinque::is_named(
  Cinque::Host            $host,
  Array[String[1]]        $names,
  Array[Cinque::Peer]     $peers,
  String[1]               $field,
  Array[Cinque::Role, 1]  $roles,
) >> Boolean {
  $able = $peers.filter |$one| { $one['roles'].any |$role| { $role in $roles } }.map |$one| { $one['name'] }
  $unknown = $names - $able
  unless $unknown.empty {
    fail("${field}: ${unknown.join(', ')}: the inventory has no such host with role ${roles.join(' or ')}; these are ${able.join(', ')}")
  }
  $host['name'] in $names
}
