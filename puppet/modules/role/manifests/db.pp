# @summary Keeps rows: Cassandra.
class role::db {
  include profile::base
  include profile::ssh
  include profile::firewall
  include profile::logs
  include profile::monitoring
  include profile::certificates
  include profile::cassandra
}
