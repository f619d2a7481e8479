import { parseShare } from './packets/topic.ts'

const ME = 'v1/devices/me'

/** A device calls itself `me`; inside the organisation its topics carry its id, so that devices do not hear each other. */
export function routedTopic(topic: string, deviceId: string | null): string {
  return deviceId !== null && isBelow(topic, ME) ? `v1/devices/${deviceId}${topic.slice(ME.length)}` : topic
}

/**
 * Whether a topic or filter, routed by a device's longer id, still is a string of MQTT (1.5.4); with its share group, which
 * goes to disk beside it.
 */
export function fits(topic: string, group: string | null = null): boolean {
  const bytes = Buffer.byteLength(topic) + (group === null ? 0 : '$share//'.length + Buffer.byteLength(group))
  return bytes <= 65_535
}

/** What a filter is matched by, and its share group. */
export function parseFilter(
  filter: string,
  deviceId: string | null,
): { match: string; group: string | null } {
  const share = parseShare(filter)
  return { match: routedTopic(share?.filter ?? filter, deviceId), group: share?.group ?? null }
}

/** The topic in the words of a device that subscribed with `me`; null: its own words are the topic's. */
export function toldTopic(topic: string, deviceId: string | null): string | null {
  const own = `v1/devices/${deviceId}`
  return deviceId !== null && isBelow(topic, own) ? ME + topic.slice(own.length) : null
}

/** `v1/devices/me` itself is as much the device's own as what is below it. */
function isBelow(topic: string, parent: string): boolean {
  return (
    topic.startsWith(parent) && (topic.length === parent.length || topic.charCodeAt(parent.length) === 47)
  )
}
