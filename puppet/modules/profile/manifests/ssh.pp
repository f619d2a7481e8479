# @summary sshd that hosts and people prove themselves to by certificates: no key is learnt, none is copied around.
#
# @param authority
#   Public key of the authority that signs people's keys, or several while one follows the other; none: the keys of root's
#   authorized_keys count.
# @param revoked
#   Public keys of people that are refused, with whatever certificate: of a laptop that was lost.
# @param host_certificate
#   Certificate of the host key, which the installer signs; missing on a host that is being made.
class profile::ssh (
  Optional[Variant[Profile::Sshkey, Array[Profile::Sshkey, 1]]] $authority        = undef,
  Array[Profile::Sshkey]                                        $revoked          = [],
  Stdlib::Absolutepath                                          $host_certificate = '/etc/ssh/ssh_host_ed25519_key-cert.pub',
) {
  package { 'openssh-server': ensure => installed }
  if $authority {
    file { '/etc/ssh/people-ca.pub':
      ensure  => file,
      mode    => '0644',
      content => [$authority].flatten.map |$key| { "${key}\n" }.join,
      require => Package['openssh-server'],
      before  => File['/etc/ssh/sshd_config.d/10-cinque.conf'],
    }
  }
  # Without this file sshd would refuse everybody.
  file { '/etc/ssh/revoked.pub':
    ensure  => file,
    mode    => '0644',
    content => $revoked.map |$key| { "${key}\n" }.join,
    require => Package['openssh-server'],
    before  => File['/etc/ssh/sshd_config.d/10-cinque.conf'],
  }
  file { '/etc/ssh/sshd_config.d/10-cinque.conf':
    ensure       => file,
    mode         => '0600',
    content      => epp('profile/sshd.conf.epp', {
        'people'           => $authority =~ NotUndef,
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
