import { join } from 'node:path'
import type { Engine } from './engine.ts'

const opens = [
  'java.base/java.lang.module',
  'java.base/jdk.internal.loader',
  'java.base/jdk.internal.ref',
  'java.base/jdk.internal.reflect',
  'java.base/jdk.internal.math',
  'java.base/jdk.internal.module',
  'java.base/jdk.internal.util.jar',
  'jdk.management/com.sun.management.internal',
  'java.base/sun.nio.ch',
  'java.base/java.io',
  'java.base/java.lang.reflect',
  'jdk.compiler/com.sun.tools.javac',
  'java.base/java.lang',
  'java.base/java.util',
  'java.base/java.nio',
  'java.base/java.util.concurrent',
  'java.base/java.util.concurrent.atomic',
]

const exported = [
  'java.base/jdk.internal.misc',
  'java.management.rmi/com.sun.jmx.remote.internal.rmi',
  'java.rmi/sun.rmi.registry',
  'java.rmi/sun.rmi.server',
  'java.sql/java.sql',
  'java.base/java.lang.ref',
  'jdk.unsupported/sun.misc',
  'jdk.compiler/com.sun.tools.javac.file',
  'jdk.attach/sun.tools.attach',
]

/** What Cassandra asks of Java's modules. */
const moduleFlags = [
  '-Djdk.attach.allowAttachSelf=true',
  ...exported.map((one) => `--add-exports=${one}=ALL-UNNAMED`),
  ...opens.map((one) => `--add-opens=${one}=ALL-UNNAMED`),
]

/**
 * A node that starts in 2 to 4 seconds with 300 MB, at a price that development and tests can pay: only the quick
 * compiler, a small heap, no wait for gossip to settle, no fsync (a power cut may lose writes, kill -9 does not).
 * `unsafesystem` is left out: after kill -9 a node would have forgotten its schema.
 */
export function nodeFlags(
  engine: Engine,
  directory: string,
  options: { heapMb: number; jmxPort?: number | undefined; full: boolean; writeArchive?: string | undefined },
): string[] {
  const { heapMb, jmxPort, full, writeArchive } = options
  return [
    `-Xms${heapMb}m`,
    `-Xmx${heapMb}m`,
    `-Xmn${Math.floor(heapMb / 4)}m`,
    '-Xss256k',
    '-XX:MaxDirectMemorySize=256m',
    '-XX:+UseSerialGC',
    // The better compiler costs 3 s of CPU a start and pays off under load only.
    ...(full ? [] : ['-XX:TieredStopAtLevel=1']),
    '-XX:+PerfDisableSharedMem',
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.net.preferIPv4Stack=true',
    ...(Number.parseInt(engine.javaVersion, 10) > 17 ? ['-Djava.security.manager=allow'] : []),
    ...(engine.classArchive === null || writeArchive !== undefined
      ? []
      : [`-XX:SharedArchiveFile=${engine.classArchive}`, '-Xshare:auto']),
    ...(writeArchive === undefined ? [] : [`-XX:ArchiveClassesAtExit=${writeArchive}`]),
    ...moduleFlags,
    '-Dio.netty.tryReflectionSetAccessible=true',
    '-Dio.netty.allocator.useCacheForAllThreads=true',
    '-Dio.netty.allocator.maxOrder=11',
    `-Dlogback.configurationFile=${join(directory, 'logback.xml')}`,
    `-Dcassandra.config=file://${join(directory, 'cassandra.yaml')}`,
    `-Dcassandra-rackdc.properties=file://${join(directory, 'rackdc.properties')}`,
    `-Dcassandra.storagedir=${join(directory, 'data')}`,
    `-Dcassandra.logdir=${join(directory, 'log')}`,
    ...(jmxPort === undefined ? [] : [`-Dcassandra.jmx.local.port=${jmxPort}`]),
    '-Dcassandra-foreground=yes',
    '-Dcassandra.available_processors=2',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    // Less makes the first talk with the seeds fail.
    '-Dcassandra.ring_delay_ms=10000',
    '-Dcassandra.superuser_setup_delay_ms=0',
    '-Dcassandra.skip_sync=true',
    '-Dcassandra.shutdown_announce_in_ms=0',
    // Measured at each start otherwise: 2.5 s of CPU.
    '-Dcassandra.memtable.row_overhead_size=180',
    '-cp',
    engine.classPath,
    'org.apache.cassandra.service.CassandraDaemon',
  ]
}

/** For Cassandra's tools, in front of their class: they run for seconds only. */
export function toolFlags(engine: Engine): string[] {
  return [
    '-Xmx512m',
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    '-Djava.net.preferIPv4Stack=true',
    ...(Number.parseInt(engine.javaVersion, 10) > 17 ? ['-Djava.security.manager=allow'] : []),
    ...moduleFlags,
    '-cp',
    engine.classPath,
  ]
}
