import { expect } from 'chai'
import type { Peer } from '#platform/cluster/peer.ts'
import { VirtualTime } from '../../virtual-time.ts'
import { ChannelProcess } from './channel-process.ts'
import { LossyNet } from './lossy-bus.ts'

/** Processes on a bus where everything goes well. */
function cell(...names: string[]): { time: VirtualTime; net: LossyNet; processes: ChannelProcess[] } {
  const time = new VirtualTime()
  const net = new LossyNet(time, () => 0.5)
  return { time, net, processes: names.map((name) => new ChannelProcess(net, name)) }
}

function inContact(...processes: ChannelProcess[]): Peer[] {
  const peers: Peer[] = []
  for (const one of processes) for (const other of processes) if (one !== other) peers.push(one.peer(other))
  return peers
}

describe('channels', () => {
  describe('meeting', () => {
    it('opens all streams within a few milliseconds of the start', () => {
      const { time, processes } = cell('a', 'b', 'c')
      time.run(20)
      for (const peer of inContact(...processes)) expect(peer.inContact).to.equal(true)
      for (const one of processes) {
        expect(one.channels.inContact).to.equal(2)
        expect(one.events).to.have.length(2)
        expect(one.faults).to.deep.equal([])
      }
    })
  })

  describe('entries', () => {
    it('arrive in order, as they were, with their types', () => {
      const { time, processes } = cell('a', 'b')
      const [a, b] = processes
      time.run(20)
      const seen: string[] = []
      b.onEntry = (_peer, type, body) => void seen.push(`${type}:${body.toString()}`)
      a.peer(b).send(7, Buffer.from('one'))
      a.channels.broadcast(0x1234, Buffer.from('two'))
      const at = a.peer(b).reserve(9, 5)
      a.peer(b).buffer.write('three', at)
      a.peer(b).send(8, Buffer.alloc(0))
      time.run(20)
      expect(seen).to.deep.equal(['7:one', '4660:two', '9:three', '8:'])
      expect(a.peer(b).sent).to.equal(4)
      expect(a.peer(b).taken).to.equal(4)
    })
  })
})
