import type { Noun } from '#scripts/rest/verb.ts'

export const groups: Noun = {
  name: 'groups',
  text: 'groups of devices, which may be inside one another',
  verbs: [
    {
      name: 'list',
      operation: 'listGroups',
      example: '',
      columns: ['id', 'name', 'parent', 'created_at'],
    },
    {
      name: 'show',
      operation: 'getGroup',
      example: 'berlin',
    },
    {
      name: 'add',
      operation: 'createGroup',
      example: '"Berlin" --id berlin',
      args: ['name'],
    },
    {
      name: 'update',
      operation: 'updateGroup',
      example: 'berlin --parent germany',
    },
    {
      name: 'rm',
      operation: 'deleteGroup',
      example: 'berlin',
      done: 'removed',
    },
    {
      name: 'devices',
      operation: 'listGroupDevices',
      example: 'berlin',
      list: 'devices',
      columns: ['name', 'id', 'online', 'created_at'],
      empty: 'no devices',
    },
    {
      name: 'put',
      operation: 'putGroupMember',
      example: 'berlin pump-1',
      done: 'put',
    },
    {
      name: 'take',
      operation: 'deleteGroupMember',
      example: 'berlin pump-1',
      done: 'taken',
    },
  ],
}
