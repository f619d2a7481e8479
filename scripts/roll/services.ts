import { quote } from '#scripts/remote/shell.ts'

/** Services of ours that start with the host; those that run to their end at their time are none. */
const listUnits =
  "systemctl list-unit-files --state=enabled --plain --no-legend 'cinque-*.service' cassandra.service | cut -d' ' -f1"

/** Of the longest: a broker sends its clients away for 30 s, Cassandra writes down what is in memory. */
export const stopMs = 480_000
/** All rows of a host, over a WAN. */
export const streamMs = 21_600_000

/**
 * Stops what a host runs, who serves first: brokers send their clients elsewhere while NATS and Cassandra still work.
 * Cassandra takes no more clients, and writes down what it has in memory; one that hangs is killed, and reads its log
 * when it starts. Stopped again, it does nothing.
 */
export const stopServices = `
units=$(${listUnits})
front=$(echo "$units" | grep -vx -e cinque-nats.service -e cassandra.service)
[ -z "$front" ] || systemctl stop $front || exit 1
if echo "$units" | grep -qx cinque-nats.service; then systemctl stop cinque-nats.service || exit 1; fi
if systemctl is-active --quiet cassandra.service; then
  timeout 60 nodetool disablebinary >/dev/null && timeout 120 nodetool drain >/dev/null || echo 'Cassandra did not drain' >&2
fi
if echo "$units" | grep -qx cassandra.service; then systemctl stop cassandra.service; fi`

/**
 * Sends the clients of a host elsewhere, which serves nobody while Cassandra of its DC is away: who is connected would wait for
 * answers that do not come.
 */
export const stopFront = `
front=$(systemctl list-units --all --plain --no-legend 'cinque-broker*.service' cinque-api.service | cut -d' ' -f1)
[ -z "$front" ] || systemctl stop $front`

/** Starts it all; systemd knows who waits for whom. Does not wait. */
export const startServices = `systemctl start --no-block $(${listUnits})`

/** Removes all releases of cinque from a host but these. */
export function onlyReleases(kept: readonly string[]): string {
  const pattern = kept.map((release) => `-e ${quote(release)}`).join(' ')
  return `cd /opt/cinque/releases && for release in $(ls | grep -vxF ${pattern}); do rm -rf "./$release" && rm -f "/var/cache/cinque/artifacts/cinque-$release.tar" 2>/dev/null; done; true`
}
