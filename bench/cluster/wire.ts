import { Message } from '#broker/message.ts'
import { Entry } from '#broker/cluster/entries.ts'
import { encodeRow } from '#broker/cluster/rows.ts'
import { encodeStored } from '#broker/stored-message.ts'
import { HEADER_BYTES } from '#platform/cluster/frame.ts'
import { hash128 } from '#platform/hash.ts'
import { inbox, session, subscription } from '#platform/store/tables.ts'
import type { ClusterScenario, Line } from './scenario.ts'

const TOPIC = 'v1/devices/device-0000001/command'
const PAYLOAD = 100
/** Type and length of an entry in its frame. */
const ENTRY = 4
/** TLS record, and `PUB n.<32 hex> <size>` with line ends. */
const NATS = 29 + 60
const ORG = 'default'

/** What crosses between two processes for one message, and for a change of the tables that all have. */
export const wire: ClusterScenario = {
  name: 'wire',
  about: 'bytes between two processes for one message: counted, not measured',
  async run(): Promise<Line[]> {
    const sid = hash128('sid')
    const message = new Message(TOPIC, Buffer.alloc(PAYLOAD), 1, false)
    const stored = encodeStored({ message, qos: 1, retain: false, identifiers: null, topic: null }, null)
    const stamp = Date.now() * 1024
    const row = encodeRow(inbox, {
      org: ORG,
      log: sid,
      day: 20_000,
      writer: sid,
      seq: stamp,
      message: stored,
      hlc: stamp,
      kind: 0,
    })
    const client_id = 'device-0000001'
    const client = hash128(client_id)
    const held = encodeRow(session, {
      org: ORG,
      client,
      epoch: stamp,
      client_id,
      sid,
      expiry: 3600,
      username: '',
      holder: sid,
      stamp,
    })
    const filter = encodeRow(subscription, {
      org: ORG,
      sid,
      filter_hash: client,
      filter: TOPIC,
      options: 1,
      identifier: 0,
      stamp,
    })
    const line = (what: string, bytes: number): Line => ({
      what,
      value: `${ENTRY + bytes} B (${HEADER_BYTES + NATS} B more for a frame, which it may share with others)`,
    })
    return [
      { what: 'a message on its way: topic, payload', value: `${TOPIC.length} + ${PAYLOAD} B` },
      line(`live copy of an inbox row (entry ${Entry.LIVE_ROW})`, row.length),
      line(
        `message for subscribers without a persistent session (entry ${Entry.MESSAGE})`,
        1 + ORG.length + stored.length,
      ),
      line(`a connection of a persistent session, to every process (entry ${Entry.SESSION})`, held.length),
      line(`a subscription, to every process (entry ${Entry.SUBSCRIPTION})`, filter.length),
    ]
  },
}
