import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Alert, AlertName } from '../alerts/alert.ts'

/** What customers are told of an alert. */
export interface Announcement {
  readonly title: string
  readonly impact: 'minor' | 'major' | 'critical'
  readonly text: string
}

/** How DCs are called in texts for customers. */
export interface Places {
  /** Where the DC is: `Nürnberg`. */
  of(dc: string | undefined): string
  /** What is said when an alert is over. */
  over(key: string): string
}

export function placesOf({ dcs, hosts }: Pick<Inventory, 'dcs' | 'hosts'>): Places {
  const places = new Map(dcs.map(({ name, place }) => [name, place]))
  const dcOf = new Map(hosts.map(({ name, dc }) => [name, dc]))
  const of = (dc: string | undefined): string => places.get(dc ?? '') ?? dc ?? 'one place'
  return {
    of,
    over: (key) => {
      const [name, subject] = key.split('/')
      return (
        overTexts[name as AlertName]?.(of(places.has(subject) ? subject : dcOf.get(subject))) ?? 'It is over.'
      )
    },
  }
}

const overTexts: { readonly [N in AlertName]?: (place: string) => string } = {
  ServiceDown: () => 'The service is reachable again. Devices reconnect by themselves.',
  DcDown: (place) => `${place} answers again. Connections return to it step by step; there is nothing to do.`,
  HostDown: (place) => `The server in ${place} answers again.`,
  DcDegraded: (place) => `${place} works as usual again.`,
  CheckersBlind: () => 'Our checks work again; the states on this page are current.',
  CertificateExpires: (place) => `The certificate in ${place} was renewed.`,
}

/**
 * What customers are told, in words for those who have devices and no datacenters; null: nothing, it does not touch them.
 * Nothing that probes say is in it: that is for the people who run the platform.
 */
export function announcementOf(alert: Alert, places: Places): Announcement | null {
  const place = places.of(alert.dc)
  switch (alert.name) {
    case 'ServiceDown':
      return {
        title: 'The service is not reachable',
        impact: 'critical',
        text: 'None of our datacenters answers. We are working on it. What devices were told is stored stays stored; they reconnect by themselves when we are back.',
      }
    case 'DcDown':
      return {
        title: `${place} is out`,
        impact: 'major',
        text: `Our datacenter in ${place} does not answer. New connections go to the others; devices that were connected there reconnect by themselves within about two minutes. What was confirmed to them is stored.`,
      }
    case 'HostDown':
      return {
        title: `A server in ${place} is out`,
        impact: 'minor',
        text: `One of our servers in ${place} does not answer. The others there do its work; devices that were connected to it reconnect by themselves.`,
      }
    case 'DcDegraded':
      return {
        title: `${place} does not work as well as usual`,
        impact: 'minor',
        text: `Our datacenter in ${place} works, but slower than usual or with fewer reserves. We are looking at it; there is nothing to do.`,
      }
    case 'CheckersBlind':
      return {
        title: 'The state of the service is not known',
        impact: 'minor',
        text: 'Too few of our checkers can be reached, so what this page says may be old. The service does not depend on them.',
      }
    case 'CertificateExpires':
      if (alert.severity !== 'critical') return null
      return {
        title: `A certificate in ${place} ends soon`,
        impact: 'minor',
        text: `The TLS certificate of a server in ${place} has to be renewed, which we are doing. Should it end, devices connect to other servers.`,
      }
    default:
      return null
  }
}
