import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gdnsdFiles } from '#healthcheck/dns/gdnsd/config.ts'
import { loadNetPlaces } from '#healthcheck/dns/server/places.ts'
import { CliError, errorLine, printJson, printLine } from '#scripts/output.ts'
import { dnsFailure } from './failure.ts'
import { loadNamed } from './zone.ts'

export interface GdnsdCommandOptions {
  inventory: string
  out: string
  listen?: readonly string[]
  places?: string
  geoip2?: string
  runDir?: string
  stateDir?: string
  json?: true
}

/** Writes gdnsd's files; all of them are made before the first is written. CliError. */
export function runGdnsd({ inventory, out, json, ...more }: GdnsdCommandOptions): void {
  const written: string[] = []
  for (const [name, text] of filesOf(inventory, more)) {
    const path = join(out, name)
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    } catch (error) {
      throw new CliError(`--out ${out}: ${errorLine(error)}`, { cause: error })
    }
    written.push(path)
  }
  if (json) printJson({ files: written })
  else for (const path of written) printLine(path)
}

type Files = Omit<GdnsdCommandOptions, 'inventory' | 'out' | 'json'>

function filesOf(file: string, { listen, places, geoip2, runDir, stateDir }: Files): Map<string, string> {
  let inventory
  try {
    inventory = loadNamed(file)
  } catch (error) {
    throw dnsFailure(error)
  }
  try {
    return gdnsdFiles(inventory, {
      listen: listen ?? 'any',
      ...(places === undefined ? {} : { places: loadNetPlaces(places) }),
      ...(geoip2 === undefined ? {} : { geoip2 }),
      ...(runDir === undefined ? {} : { runDirectory: runDir }),
      ...(stateDir === undefined ? {} : { stateDirectory: stateDir }),
    })
  } catch (error) {
    throw new CliError(errorLine(error), { exitCode: 2, cause: error })
  }
}
