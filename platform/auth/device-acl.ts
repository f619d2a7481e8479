import type { AclRule } from './acl.ts'

/**
 * What a device may do unless its organisation says otherwise (`acl` of the organisation):
 *
 * - its own topics, which it calls `v1/devices/me/...` and the broker routes as `v1/devices/{id}/...`: no other
 *   device hears or speaks there;
 * - IoT Guru's `pub/` and `sub/` topics of its own;
 * - every free topic of the organisation, publish and subscribe. A subscription to `#` is denied, since it would
 *   reach into the topics above; so is `$SYS`, which `#` does not cover.
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
