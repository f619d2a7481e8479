# @summary A program that is not packaged, unpacked once from a tar file into a directory that is whole or not there.
#
# @param directory
#   Where its contents end up: a new version has another one, so that the old one still runs meanwhile.
# @param source
#   The tar file (compressed as tar finds out): a path, or an https URL that is fetched with its checksum.
# @param sha256
#   Checksum of the file; a URL needs one.
define unpack::archive (
  Stdlib::Absolutepath                               $directory,
  Variant[Stdlib::Absolutepath, Stdlib::HTTPSUrl]    $source,
  Optional[Pattern[/\A[0-9a-f]{64}\z/]]              $sha256 = undef,
) {
  $parent = dirname($directory)
  $fetched = $source ? {
    Stdlib::HTTPSUrl => "${directory}.tar",
    default          => $source,
  }
  if $source =~ Stdlib::HTTPSUrl {
    unless $sha256 { fail("unpack::archive ${title}: sha256 is missing: what comes from a URL is checked") }
    exec { "fetch ${title}":
      command => ['/usr/bin/curl', '--fail', '--silent', '--show-error', '--location', '--retry', '3',
      '--output', $fetched, $source],
      creates => $directory,
      timeout => 600,
      before  => Exec["unpack ${title}"],
    }
  }
  if $sha256 {
    exec { "check ${title}":
      command => "/bin/echo '${sha256}  ${fetched}' | /usr/bin/sha256sum --check --status",
      path    => '/usr/bin:/bin',
      creates => $directory,
      before  => Exec["unpack ${title}"],
    }
    if $source =~ Stdlib::HTTPSUrl { Exec["fetch ${title}"] -> Exec["check ${title}"] }
  }
  # A run that is cut off leaves a half of .new, which the next one throws away.
  exec { "unpack ${title}":
    command => "rm -rf '${directory}.new' && mkdir -p '${directory}.new' && tar -xf '${fetched}' -C '${directory}.new' --no-same-owner && mv -T '${directory}.new' '${directory}'",
    path    => '/usr/bin:/bin',
    creates => $directory,
    timeout => 600,
    require => File[$parent],
  }
}
