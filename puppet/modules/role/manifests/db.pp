# @summary Keeps rows: Cassandra, and copies of them.
class role::db {
  include profile::base
  include profile::ssh
  include profile::firewall
  include profile::logs
  include profile::monitoring
  include profile::certificates
  include profile::cassandra
  include profile::backup
}
