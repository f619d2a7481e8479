# @summary Certificates and other secrets: brought to the host by its installer, given here to those who need them.
#
# Nothing secret is in Hiera, a catalogue or a report. `secrets` is readable by root alone; each service gets copies of
# what is its own. A certificate that is made anew there reaches the services by the next run.
#
# @param secrets
#   Directory with ca.pem, host.pem, host.key, cassandra.pem, cassandra-ca.pem, cassandra-client.pem,
#   cassandra-client.key, cassandra-password, nats.env, nats.seed, admin-token.
# @param public_certificate
#   What devices and people see at 8883 and 443: of the cell's own authority unless told, or of Let's Encrypt.
# @param public_key
#   Its private key.
class profile::certificates (
  Stdlib::Absolutepath           $secrets            = '/etc/cinque/secrets',
  Optional[Stdlib::Absolutepath] $public_certificate = undef,
  Optional[Stdlib::Absolutepath] $public_key         = undef,
) {
  $public = {
    'public.pem' => $public_certificate ? { undef => "${secrets}/host.pem", default => $public_certificate },
    'public.key' => $public_key ? { undef => "${secrets}/host.key", default => $public_key },
  }
  file { $secrets:
    ensure  => directory,
    owner   => 'root',
    group   => 'root',
    mode    => '0700',
    require => File['/etc/cinque'],
  }
}
