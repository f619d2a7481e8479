import { aedes } from './aedes.ts'
import { cinque } from './cinque.ts'
import { external } from './external.ts'
import { mosquitto } from './mosquitto.ts'
import type { Peer } from './peer.ts'

const known: readonly Peer[] = [cinque, mosquitto, aedes]

/**
 * Peers by name; all known ones without a name.
 * @throws when a name is unknown.
 */
export function selectPeers(names: readonly string[]): readonly Peer[] {
  if (names.length === 0) return known
  return names.map((name) => {
    if (name.startsWith('external=')) return external(name.slice('external='.length))
    const peer = known.find((p) => p.name === name)
    if (peer === undefined)
      throw new Error(`--peer ${name}: known are ${known.map((p) => p.name).join(', ')}, external=HOST:PORT`)
    return peer
  })
}
