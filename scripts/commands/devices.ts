import type { Command } from 'commander'
import { DeviceClient, type DeviceWithKey } from '#scripts/client/devices.ts'
import { RestClient } from '#scripts/client/rest.ts'
import { findTarget, type TargetOptions, withTarget } from '#scripts/client/target.ts'
import { printJson, printLine, table } from '#scripts/output.ts'

interface Options extends TargetOptions {
  json?: true
}

export function addDevices(program: Command): void {
  const devices = program.command('devices').description('add, list and remove devices')
  withTarget(
    devices.command('add').argument('<name>').description('add a device and print its key, this once'),
  ).action(async (name: string, options: Options) => printKey(await client(options).add(name), options))
  withTarget(devices.command('list').description('list devices by name')).action(list)
  withTarget(
    devices
      .command('rm')
      .argument('<name>')
      .description('delete a device with its key; its connection is closed'),
  ).action(async (name: string, options: Options) => {
    await client(options).remove(name)
    if (options.json === true) printJson({ removed: name })
    else printLine(`removed ${name}`)
  })
  withTarget(
    devices
      .command('rotate')
      .argument('<name>')
      .description('give a device a new key and print it, this once'),
  ).action(async (name: string, options: Options) => printKey(await client(options).rotate(name), options))
}

function client(options: Options): DeviceClient {
  return new DeviceClient(new RestClient(findTarget(options)))
}

async function list(options: Options): Promise<void> {
  const all = await Array.fromAsync(client(options).list())
  if (options.json === true) return printJson({ devices: all })
  if (all.length === 0) return printLine('no devices yet; add one: cinque devices add NAME')
  const rows = all.map((device) => [device.name, device.id, device.created_at])
  for (const line of table(['NAME', 'ID', 'CREATED'], rows)) printLine(line)
}

function printKey(device: DeviceWithKey, options: Options): void {
  if (options.json === true) return printJson(device)
  printLine(
    `${device.name}  key ${device.key}  (shown this once; lost: cinque devices rotate ${device.name})`,
  )
}
