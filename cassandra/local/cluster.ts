import type { Logger } from '#platform/log.ts'
import { connect } from '../store/connection.ts'
import { EngineError } from './engine-error.ts'
import type { CassandraNode } from './node.ts'

/** Waits until each node (without passwords and TLS) knows all as members that serve. EngineError after two minutes. */
export async function allNormal(log: Logger, nodes: readonly CassandraNode[]): Promise<void> {
  const deadline = Date.now() + 120_000
  for (const node of nodes) {
    // oxlint-disable-next-line no-await-in-loop -- one connection at a time is enough
    const client = await connect({
      contactPoints: [node.ip],
      localDc: node.options.dc,
      log,
      only: true,
      // Nodes that have all just started on few cores answer late.
      readTimeoutMs: 30_000,
    })
    try {
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- polling
        const { rows } = await client.execute('SELECT status_with_port FROM system_views.gossip_info', [], {
          prepare: false,
        })
        const normal = rows.filter((row) => String(row.status_with_port).includes('NORMAL')).length
        if (normal >= nodes.length) break
        if (Date.now() > deadline) {
          throw new EngineError(
            `Cassandra node ${node.ip} sees ${normal} of ${nodes.length} nodes after 120 s (log: ${node.logFile})`,
          )
        }
        // oxlint-disable-next-line no-await-in-loop -- polling
        await new Promise((wake) => setTimeout(wake, 200))
      }
    } finally {
      // oxlint-disable-next-line no-await-in-loop
      await client.shutdown()
    }
  }
}
