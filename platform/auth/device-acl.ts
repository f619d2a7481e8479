import type { AclRule } from './acl.ts'

/**
 * What a device may do unless its organisation says otherwise (`acl` of the organisation): its own conventional
 * topics, none of anybody else's, and every free topic of the organisation, publish and subscribe. A subscription
 * to all topics (`#`) is denied, since it would reach into other devices' topics; `$SYS` is denied.
 */
export const defaultDeviceAcl: readonly AclRule[] = [
  { effect: 'allow', access: 'all', filter: 'v1/devices/me/#' },
  { effect: 'allow', access: 'publish', filter: 'pub/${user}/${device}/#' },
  { effect: 'allow', access: 'subscribe', filter: 'sub/${user}/${device}/#' },
  { effect: 'deny', access: 'all', filter: 'v1/#' },
  { effect: 'deny', access: 'all', filter: 'pub/#' },
  { effect: 'deny', access: 'all', filter: 'sub/#' },
  { effect: 'allow', access: 'all', filter: '#' },
]
