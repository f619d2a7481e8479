import type { AclRule } from './acl.ts'

/**
 * What a device may do unless its organisation says otherwise (`acl` of the organisation):
 *
 * - its own conventional topics, in their direction: `v1/devices/me/...` is one topic for all devices of the
 *   organisation, so none may subscribe to what others publish there, nor publish what others are sent there;
 * - IoT Guru's `pub/` and `sub/` topics of its own;
 * - every free topic of the organisation, publish and subscribe. A subscription to `#` is denied, since it would
 *   reach into the topics above; so is `$SYS`, which `#` does not cover.
 */
export const defaultDeviceAcl: readonly AclRule[] = [
  { effect: 'allow', access: 'publish', filter: 'v1/devices/me/telemetry' },
  { effect: 'allow', access: 'publish', filter: 'v1/devices/me/attributes' },
  { effect: 'allow', access: 'publish', filter: 'v1/devices/me/rpc/response/+' },
  { effect: 'allow', access: 'subscribe', filter: 'v1/devices/me/rpc/request/+' },
  { effect: 'allow', access: 'publish', filter: 'pub/${user}/${device}/#' },
  { effect: 'allow', access: 'subscribe', filter: 'sub/${user}/${device}/#' },
  { effect: 'deny', access: 'all', filter: 'v1/#' },
  { effect: 'deny', access: 'all', filter: 'pub/#' },
  { effect: 'deny', access: 'all', filter: 'sub/#' },
  { effect: 'allow', access: 'all', filter: '#' },
]
