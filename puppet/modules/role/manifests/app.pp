# @summary Serves devices and people: nats-server, a broker a core, the API. Keeps nothing.
class role::app {
  include profile::base
  include profile::ssh
  include profile::firewall
  include profile::logs
  include profile::monitoring
  include profile::certificates
  include profile::cinque
  include profile::nats
  include profile::broker
  include profile::api
  include profile::operator
}
