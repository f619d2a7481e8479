# @summary sshd that hosts and people prove themselves to by certificates: no key is learnt, none is copied around.
#
# @param authority
#   Public key of the authority that signs people's keys; empty: the keys of root's authorized_keys count.
# @param host_certificate
#   Certificate of the host key, which the installer signs; missing on a host that is being made.
class profile::ssh (
  Optional[Pattern[/\A(ssh|ecdsa)-[a-z0-9-]+ /]] $authority        = undef,
  Stdlib::Absolutepath                           $host_certificate = '/etc/ssh/ssh_host_ed25519_key-cert.pub',
) {
  package { 'openssh-server': ensure => installed }
  if $authority {
    file { '/etc/ssh/people-ca.pub':
      ensure  => file,
      mode    => '0644',
      content => "${authority}\n",
      require => Package['openssh-server'],
      before  => File['/etc/ssh/sshd_config.d/10-cinque.conf'],
    }
  }
  file { '/etc/ssh/sshd_config.d/10-cinque.conf':
    ensure       => file,
    mode         => '0600',
    content      => epp('profile/sshd.conf.epp', {
        'authority'        => $authority,
        'host_certificate' => $host_certificate,
    }),
    validate_cmd => '/usr/sbin/sshd -t -f %',
    require      => Package['openssh-server'],
  }
  service { 'ssh':
    ensure    => running,
    enable    => true,
    # Sessions stay; a broken file never gets here.
    restart   => '/bin/systemctl reload ssh',
    subscribe => File['/etc/ssh/sshd_config.d/10-cinque.conf'],
  }
}
