import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { ensurePythonTool } from '#platform/engines/python-tool.ts'
import { createLogger } from '#platform/log.ts'

/** What of `moto[server]` its Route 53 needs. */
const moto = {
  name: 'moto',
  version: '5.2.5',
  packages: [
    'moto==5.2.5',
    'boto3==1.44.5',
    'botocore==1.44.5',
    's3transfer==0.19.3',
    'jmespath==1.1.0',
    'python-dateutil==2.9.0.post0',
    'six==1.17.0',
    'urllib3==2.8.0',
    'Flask==3.1.3',
    'flask-cors==6.0.5',
    'Werkzeug==3.1.9',
    'Jinja2==3.1.6',
    'MarkupSafe==3.0.4',
    'itsdangerous==2.2.0',
    'click==8.5.1',
    'blinker==1.9.0',
    'requests==2.34.2',
    'responses==0.26.3',
    'certifi==2026.10.18',
    'idna==3.20',
    'charset-normalizer==3.5.2',
    'xmltodict==1.0.4',
    'cryptography==50.0.2',
    'cffi==2.1.1',
    'pycparser==3.12',
    'PyYAML==6.0.3',
  ],
}

/** moto, an emulator of AWS that speaks its wire format, on a port of its own. */
export interface Moto {
  readonly endpoint: string
  stop(): Promise<void>
}

/** What the SDK finds in the environment; moto takes any. */
export const motoCredentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }

/** Fetches it, the first time on a machine. */
export function ensureMoto(): Promise<string> {
  return ensurePythonTool(moto, { log: createLogger({ level: 'silent' }) })
}

export async function startMoto(): Promise<Moto> {
  const python = await ensureMoto()
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return { endpoint: await said(child), stop: () => stop(child) }
}

/** It says where it listens on stderr. */
function said(child: ChildProcess): Promise<string> {
  const found = Promise.withResolvers<string>()
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    text += more
    const match = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(text)
    if (match !== null) found.resolve(match[1])
  })
  child.once('error', found.reject)
  child.once('exit', (code) => found.reject(new Error(`moto ended with ${code}: ${text.slice(-2000)}`)))
  return found.promise
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
