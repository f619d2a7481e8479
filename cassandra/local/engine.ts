import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { enginesDirectory } from '#platform/engines/directory.ts'
import type { Logger } from '#platform/log.ts'
import { archiveClasses } from './class-archive.ts'
import { EngineError } from './engine-error.ts'
import { ensureJava, installPackages } from './java.ts'
import { lastLine, runCommand } from './run-command.ts'
import { versions } from './versions.ts'

/** What a Cassandra node on this machine is started from. */
export interface Engine {
  /** The Java program. */
  readonly java: string
  readonly javaVersion: string
  /** The same string at each start: the class archive is only good for it. */
  readonly classPath: string
  /** Archive of loaded classes (AppCDS), which saves about a second of CPU a start; null: there is none. */
  readonly classArchive: string | null
}

/**
 * Java and the Cassandra jars, found or fetched without asking (67 MB from Maven Central, half a minute, once).
 * Several processes may ask at a time: what is made is renamed into place when it is whole.
 *
 * @throws EngineError with what is missing and the command that installs it
 */
export async function ensureCassandra(options: { log: Logger; directory?: string }): Promise<Engine> {
  const { log } = options
  const home = join(options.directory ?? enginesDirectory(), `cassandra-${versions.cassandra}`)
  const { java, version } = await ensureJava(log)
  const jars = join(home, 'jars')
  if (!existsSync(jars)) await fetchJars(jars, log)
  const engine = { java, javaVersion: version, classPath: classPathOf(jars) }
  const archive = join(home, `java-${version}.jsa`)
  if (!existsSync(archive)) await archiveClasses({ ...engine, classArchive: null }, archive, log)
  return { ...engine, classArchive: existsSync(archive) ? archive : null }
}

function classPathOf(jars: string): string {
  const names = readdirSync(jars).filter(
    (name) => name.endsWith('.jar') && !/osx|windows|aarch_64|riscv64/.test(name),
  )
  if (
    !names.includes(`apache-cassandra-${versions.cassandra}.jar`) &&
    !names.includes(`cassandra-all-${versions.cassandra}.jar`)
  ) {
    throw new EngineError(
      `${jars} lacks cassandra-all-${versions.cassandra}.jar: remove that directory and try again`,
    )
  }
  return names
    .toSorted()
    .map((name) => join(jars, name))
    .join(':')
}

async function fetchJars(jars: string, log: Logger): Promise<void> {
  const { code } = await runCommand('mvn', ['-v'], { timeoutMs: 60_000 })
  if (code === 127) await installPackages(log, ['maven'], 'Maven, which fetches Cassandra,')
  mkdirSync(dirname(jars), { recursive: true })
  const work = mkdtempSync(join(dirname(jars), 'fetch-'))
  try {
    writeFileSync(join(work, 'pom.xml'), pom)
    log.info(
      { event: 'engine.fetch', version: versions.cassandra },
      `fetching Cassandra ${versions.cassandra} from Maven Central (67 MB, once)`,
    )
    const fetched = join(work, 'jars')
    const args = [
      '-q',
      '-B',
      '-f',
      join(work, 'pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${fetched}`,
    ]
    const result = await runCommand('mvn', args)
    if (result.code !== 0) {
      throw new EngineError(`Cassandra could not be fetched by Maven: ${lastLine(result.output)}`)
    }
    if (!existsSync(jars)) renameSync(fetched, jars)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const pom = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>cinque</groupId>
  <artifactId>cassandra-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId>
      <artifactId>cassandra-all</artifactId>
      <version>${versions.cassandra}</version>
    </dependency>
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId>
    <artifactId>maven-dependency-plugin</artifactId>
    <version>${versions.mavenDependencyPlugin}</version>
  </plugin></plugins></build>
</project>
`
