import type { AnswerOf } from '#client/index.ts'
import { printLine } from '#scripts/output.ts'
import type { Noun } from '#scripts/rest/verb.ts'

export const devices: Noun = {
  name: 'devices',
  text: 'add, list, change and remove devices',
  verbs: [
    {
      name: 'add',
      operation: 'createDevice',
      text: 'add a device and print its key, this once',
      example: 'pump-1 --labels site=berlin',
      args: ['name'],
      print: printKey,
    },
    {
      name: 'list',
      operation: 'listDevices',
      text: 'list or search devices by name; everything that is given must hold',
      example: '--label site=berlin --columns name,online,firmware',
      columns: ['name', 'id', 'created_at'],
      empty: 'no devices yet; add one: cinque devices add NAME',
    },
    { name: 'show', operation: 'getDevice', example: 'pump-1' },
    { name: 'update', operation: 'updateDevice', example: 'pump-1 --labels site=paris' },
    {
      name: 'rm',
      operation: 'deleteDevice',
      text: 'delete a device with its key; its connection is closed',
      example: 'pump-1',
      done: 'removed',
    },
    {
      name: 'rotate',
      operation: 'createDeviceKey',
      text: 'give a device a new key and print it, this once',
      example: 'pump-1',
      print: printKey,
    },
    {
      name: 'update-many',
      operation: 'updateDevices',
      example: '--label site=berlin --set-labels site=paris',
    },
    { name: 'rm-many', operation: 'deleteDevices', example: '--label site=berlin --dry-run true' },
  ],
}

function printKey({ name, key }: AnswerOf<'/v1/devices', 'post'>): void {
  printLine(`${name}  key ${key}  (shown this once; lost: cinque devices rotate ${name})`)
}
