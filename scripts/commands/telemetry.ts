import type { Noun } from '#scripts/rest/verb.ts'

export const telemetry: Noun = {
  name: 'telemetry',
  text: 'values of devices',
  verbs: [
    {
      name: 'latest',
      operation: 'listDeviceLatest',
      example: 'pump-1',
      columns: ['key', 'value', 'ts'],
    },
    {
      name: 'overview',
      operation: 'listTelemetryLatest',
      example: '--label site=berlin --keys temp',
      columns: ['device.name', 'values'],
      list: 'devices',
    },
    {
      name: 'history',
      operation: 'listDeviceTelemetry',
      example: 'pump-1 --keys temp --limit 10 --order desc',
      columns: ['ts', 'key', '*'],
    },
    {
      name: 'export',
      operation: 'getDeviceTelemetryExport',
      example: 'pump-1 --format ndjson --output pump-1.ndjson',
    },
    {
      name: 'import',
      operation: 'createDeviceTelemetryImport',
      example: 'pump-1 values.csv',
      file: true,
    },
    {
      name: 'import-many',
      operation: 'createTelemetryImport',
      example: 'values.csv',
      file: true,
    },
    {
      name: 'erase',
      operation: 'deleteDeviceTelemetry',
      example: 'pump-1',
    },
  ],
}
