import type { Gate } from './gate.ts'
import type { HostPages } from './host-pages.ts'

/** All Cassandra nodes have the same schema, as each DC sees it. */
export function schema(pages: HostPages): Gate {
  return {
    name: 'schema',
    look: async (host) =>
      (await pages.others(host)).flatMap(({ host: other, samples }) => {
        const versions = samples.get('cinque_cassandra_schemas')?.[0]?.value
        // Not there: an embedded store, or an older version that does not tell.
        if (versions === undefined || versions === 1) return []
        if (versions < 1)
          return [`${other} could not ask Cassandra yet whether the schema is the same everywhere`]
        return [`Cassandra's nodes have ${versions} schemas, as ${other} sees it`]
      }),
  }
}
