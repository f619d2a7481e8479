/** PEM files of one node: no Java keystores. */
export interface NodeTls {
  /** One file: PKCS #8 key, certificate, CA. */
  readonly identity: string
  /** Certificates that the node believes. */
  readonly ca: string
}

export interface NodeConfig {
  readonly clusterName: string
  /** Loopback address that the node has for itself: CQL on 9042 and its peers on 7000. */
  readonly ip: string
  readonly dc: string
  readonly rack: string
  /** Addresses of nodes that are asked who is there; itself for the first node of all. */
  readonly seeds: readonly string[]
  /** Where its one range of the ring begins; no two nodes of a cluster may have the same. */
  readonly token: string
  /** PasswordAuthenticator and CassandraAuthorizer: the first user is cassandra, password cassandra. */
  readonly passwords?: boolean
  /** TLS for clients and between nodes, both sides with certificates. */
  readonly tls?: NodeTls
  /** Entries of cassandra.yaml beyond ours. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** cassandra.yaml, as JSON, which is YAML. Sizes are for a node that shares a small machine with ten others. */
export function cassandraYaml(config: NodeConfig): string {
  const seeds = config.seeds.join(',')
  return `${JSON.stringify(
    {
      cluster_name: config.clusterName,
      partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
      endpoint_snitch: 'GossipingPropertyFileSnitch',
      seed_provider: [
        { class_name: 'org.apache.cassandra.locator.SimpleSeedProvider', parameters: [{ seeds }] },
      ],
      listen_address: config.ip,
      rpc_address: config.ip,
      num_tokens: 1,
      initial_token: config.token,
      auto_bootstrap: false,
      // Periodic would lose what was acknowledged in the last 100 ms before kill -9: what is behind the last marker in
      // the log is not replayed. Here each write waits for its marker (not for the disk: skip_sync).
      commitlog_sync: 'batch',
      commitlog_segment_size: '16MiB',
      commitlog_total_space: '256MiB',
      memtable_heap_space: '64MiB',
      memtable_offheap_space: '64MiB',
      memtable_allocation_type: 'heap_buffers',
      key_cache_size: '8MiB',
      counter_cache_size: '0MiB',
      file_cache_size: '32MiB',
      networking_cache_size: '16MiB',
      concurrent_reads: 16,
      concurrent_writes: 16,
      concurrent_counter_writes: 4,
      concurrent_compactors: 1,
      compaction_throughput: '0MiB/s',
      native_transport_max_threads: 32,
      prepared_statements_cache_size: '4MiB',
      // The store cuts batches to 64 KB, one large row goes alone; it packs partitions together on purpose.
      batch_size_warn_threshold: '256KiB',
      batch_size_fail_threshold: '8MiB',
      unlogged_batch_across_partitions_warn_threshold: 1000,
      storage_compatibility_mode: 'NONE',
      uuid_sstable_identifiers_enabled: true,
      paxos_variant: 'v2',
      paxos_state_purging: 'repaired',
      auto_snapshot: false,
      hints_flush_period: '1000ms',
      dynamic_snitch: false,
      disk_failure_policy: 'stop',
      ...(config.passwords === true ? authentication : {}),
      ...(config.tls === undefined ? {} : encryption(config.tls)),
      ...config.extra,
    },
    null,
    1,
  )}\n`
}

export function rackProperties({ dc, rack }: NodeConfig): string {
  return `dc=${dc}\nrack=${rack}\n`
}

const authentication = {
  authenticator: { class_name: 'PasswordAuthenticator' },
  authorizer: 'CassandraAuthorizer',
  // The default, EACH_QUORUM, refuses new roles while any DC is down.
  auth_write_consistency_level: 'QUORUM',
}

function encryption({ identity, ca }: NodeTls): Record<string, unknown> {
  const pem = {
    ssl_context_factory: {
      class_name: 'org.apache.cassandra.security.PEMBasedSslContextFactory',
      parameters: {},
    },
    keystore: identity,
    truststore: ca,
    require_client_auth: true,
    protocol: 'TLS',
    accepted_protocols: ['TLSv1.3', 'TLSv1.2'],
  }
  return {
    client_encryption_options: { enabled: true, optional: false, ...pem },
    server_encryption_options: {
      internode_encryption: 'all',
      // Does not work together with require_client_auth in 5.0: nodes have a CA of their own instead.
      require_endpoint_verification: false,
      optional: false,
      legacy_ssl_storage_port_enabled: false,
      ...pem,
    },
  }
}

export const logbackXml = `<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %d{HH:mm:ss.SSS} %logger{0} %msg%n%ex{4}</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
`
