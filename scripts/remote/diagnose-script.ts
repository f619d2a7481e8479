import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { journalCommand, ownUnits } from './journal.ts'
import { quote } from './shell.ts'

/**
 * Perl, as every Debian has it: takes the values of the host's own secrets out of what is printed, before that leaves the
 * host. They are what is in /etc/cinque/secrets, files elsewhere that are named for what they hold, and private keys.
 */
const scrub = String.raw`
use strict; my (%secrets, @files);
my $root = $ENV{CINQUE_ROOT} // '';
sub add { my $v = shift; $v =~ s/^\s+|\s+$//g; $secrets{$v} = 1 if length($v) >= 8 && $v !~ m{^/} }
@files = split /\n/, ${'`'}find $root/etc/cinque $root/etc/ssh $root/etc/letsencrypt $root/root/.ssh -type f -size -128k 2>/dev/null${'`'};
for my $f (@files) {
  open my $h, '<', $f or next;
  my $t = do { local $/; <$h> } // '';
  while ($t =~ /-----BEGIN [A-Z ]*PRIVATE KEY-----\s*(.*?)-----END/sg) { length($_) >= 16 && add($_) for split /\n/, $1 }
  next if $t =~ /-----BEGIN/;
  if ($f =~ /\.(ya?ml|json|conf)$/) {
    add($1) while $t =~ /(?:password|secret|token|(?:api|private)_?key|seed)["']?\s*[:=]\s*["']?([^\s"',}]{8,})/ig;
    next;
  }
  next unless $f =~ m{/etc/cinque/secrets/} or $f =~ /(?:password|passwd|token|secret|seed|\.key|\.env)[^\/]*$/;
  for my $line (split /\n/, $t) {
    add($line);
    if ($line =~ /=(.*)/) { my $v = $1; $v =~ s/^["']+|["']+$//g; add($v) }
  }
}
my $any = join '|', map { quotemeta } sort { length $b <=> length $a } keys %secrets;
while (<STDIN>) { s/$any/[secret]/g if $any ne ''; print }
`

const megabyte = 1_048_576

/**
 * Shell script that prints what helps to understand a host, in sections `MARK NAME`, each with an end to its size, and
 * without the host's secrets.
 */
export function diagnoseScript(
  { ports }: Inventory,
  { roles, brokers, address }: Host,
  { mark, since }: { mark: string; since: string },
): string {
  const at = address.includes(':') ? `[${address}]` : address
  const page = (url: string): string => `echo ${url}; curl -sS --max-time 10 ${url}; echo`
  const app = roles.includes('app')
  const sections: (readonly [name: string, command: string, bytes?: number])[] = [
    [
      'system',
      'date --utc; uname -a; cat /etc/os-release; uptime; nproc; free -m; df -hP; df -iP; findmnt; vmstat 1 3; timedatectl; chronyc -n tracking',
    ],
    ['network', 'ip -s address; ip route; ss -s; ss -ltnp; ss -tn state established | head -500'],
    ['firewall', 'nft list ruleset'],
    ['processes', 'ps -eo pid,user,stat,pcpu,rss,etime,args --sort=-pcpu'],
    [
      'units',
      `systemctl --no-pager list-units --all; systemctl --no-pager list-timers --all; systemctl --no-pager status 'cinque-*' 'cassandra*'`,
    ],
    ['packages', "dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n'"],
    [
      'config',
      `cd "$CINQUE_ROOT/etc" && for file in cinque/cinque/*.yaml cinque/nats/*.conf cinque/cassandra/*.yaml cinque/cassandra/*.options cinque/cassandra/*.properties cinque/healthcheck/*.yaml cinque/inventory.yaml nftables.conf ssh/sshd_config.d/*.conf systemd/system/cinque-* systemd/system/cassandra* sysctl.d/60-cinque.conf chrony/chrony.conf; do
  [ ! -f "$file" ] || { echo "==== /etc/$file"; cat "$file"; echo; }
done; ls -lR cinque`,
    ],
    [
      'certificates',
      `for file in "$CINQUE_ROOT"/etc/cinque/*/*.pem; do [ ! -f "$file" ] || { echo "==== $file"; openssl x509 -in "$file" -noout -subject -issuer -dates -serial; }; done`,
    ],
    ['puppet', 'cat /var/cache/puppet/state/last_run_summary.yaml; ls -l /opt/cinque /opt/cinque/releases'],
    ...(app
      ? ([
          [
            'nats',
            ['varz', 'gatewayz', 'connz', 'accountz']
              .map((name) => page(`http://127.0.0.1:${ports.nats_http}/${name}`))
              .join('; '),
          ],
          [
            'metrics',
            [
              ...Array.from({ length: brokers }, (_, i) => `http://${at}:${ports.metrics + i}/metrics`),
              `http://${at}:${ports.http}/metrics`,
              `http://${at}:${ports.http}/readyz`,
            ]
              .map(page)
              .join('; '),
          ],
        ] as const)
      : []),
    ...(roles.includes('checker')
      ? ([['checker', page(`http://${at}:${ports.checker}/v1/health`)]] as const)
      : []),
    ...(roles.includes('db')
      ? ([
          [
            'cassandra',
            [
              'status',
              'info',
              'describecluster',
              'gossipinfo',
              'tpstats',
              'compactionstats',
              'netstats',
              'tablestats',
            ]
              .map((verb) => `echo '==== ${verb}'; nodetool ${verb}`)
              .join('; '),
            4 * megabyte,
          ],
        ] as const)
      : []),
    ['kernel', 'journalctl --quiet --no-pager --utc --dmesg --lines=1000'],
    [
      'journal',
      // Of too much the newest.
      `${journalCommand({ units: ownUnits, since }, '--output=short-iso-precise')} | tail -c ${16 * megabyte}`,
      16 * megabyte,
    ],
  ]
  const all = sections.map(
    ([name, command, bytes = megabyte]) =>
      `echo; echo '${mark} ${name}'; { ${command}; } 2>&1 </dev/null | head -c ${bytes}`,
  )
  return [
    'LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin; CINQUE_ROOT=${CINQUE_ROOT-}; export CINQUE_ROOT',
    // Without perl nothing leaves the host.
    `{ ${all.join('\n')}\n} | perl -e ${quote(scrub)}`,
  ].join('\n')
}
