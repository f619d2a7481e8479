import type cassandra from 'cassandra-driver'
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import { cassandraYaml, type NodeConfig, rackProperties } from '#cassandra/local/node-config.ts'
import { migrate } from '#cassandra/migrate.ts'
import { connect } from '#cassandra/store/connection.ts'
import { keyspace, silent, startTimeoutMs } from '../cassandra/node.ts'
import { engineAddress } from './engine.ts'
import { images } from './images.ts'

const CQL = 9042
/** Those that the image names: Podman has all of them published, or none. */
const PORTS = [7000, 7001, 7199, CQL, 9160]
const NAME = 'cassandra'
/** TRUNCATE and changes of the schema wait for the disk here: seconds. */
const READ_TIMEOUT_MS = 30_000

const config: NodeConfig = {
  clusterName: 'cinque',
  ip: NAME,
  dc: 'dc01',
  rack: 'r1',
  seeds: [NAME],
  token: String(-(2n ** 63n)),
  extra: { rpc_address: '0.0.0.0', broadcast_rpc_address: NAME },
}

/** A Cassandra node in a container, with the configuration of our own nodes, and our schema. */
export interface ContainerNode {
  /** `address:port` from outside of the container. */
  readonly contactPoint: string
  /** Connected to our keyspace. */
  readonly admin: cassandra.Client
  remove(): Promise<void>
}

export async function startCassandra(): Promise<ContainerNode> {
  const container = await startContainer()
  try {
    const contactPoint = `${await engineAddress()}:${container.getMappedPort(CQL)}`
    const at = { contactPoints: [contactPoint], localDc: 'dc01', keyspace, log: silent }
    await migrate({ ...at, replication: { dc01: 1 } })
    const admin = await connect({ ...at, readTimeoutMs: READ_TIMEOUT_MS })
    const remove = async (): Promise<void> => {
      await admin.shutdown()
      await container.stop()
    }
    return { contactPoint, admin, remove }
  } catch (error) {
    await container.stop()
    throw error
  }
}

async function startContainer(): Promise<StartedTestContainer> {
  let last = ''
  try {
    return await new GenericContainer(images.cassandra)
      .withHostname(NAME)
      .withCopyContentToContainer([
        // The image's entry point edits lines of the file that is usually there: ours, in JSON, has none such.
        { content: cassandraYaml(config), target: '/etc/cassandra/cassandra.yaml' },
        { content: rackProperties(config), target: '/etc/cassandra/cassandra-rackdc.properties' },
      ])
      .withEnvironment({
        MAX_HEAP_SIZE: '512M',
        HEAP_NEWSIZE: '128M',
        // There are no others to hear of.
        JVM_EXTRA_OPTS: '-Dcassandra.skip_wait_for_gossip_to_settle=0',
      })
      .withExposedPorts(...PORTS)
      .withLogConsumer((stream) => stream.on('data', (line: string) => (last = line.trim() || last)))
      // The line after the one that says that CQL is served: that comes a moment before the port.
      .withWaitStrategy(Wait.forLogMessage('Startup complete').withStartupTimeout(startTimeoutMs))
      .start()
  } catch (error) {
    throw new Error(`${images.cassandra} did not start: ${last}`, { cause: error })
  }
}
