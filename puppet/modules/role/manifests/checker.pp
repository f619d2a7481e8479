# @summary Looks at the cell as a device and as a user, votes, and answers for its zone.
class role::checker {
  include profile::base
  include profile::ssh
  include profile::firewall
  include profile::logs
  include profile::monitoring
  include profile::certificates
  include profile::cinque
  include profile::gdnsd
  include profile::healthcheck
  include profile::prometheus
  include profile::operator
}
