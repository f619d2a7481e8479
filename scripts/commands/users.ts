import type { Noun } from '#scripts/rest/verb.ts'

export const users: Noun = {
  name: 'users',
  text: 'people of the organisation and their invitations',
  verbs: [
    {
      name: 'list',
      operation: 'listUsers',
      example: '',
      columns: ['email', 'name', 'role', 'groups', 'id'],
    },
    {
      name: 'show',
      operation: 'getUser',
      example: '0197a4c2',
    },
    {
      name: 'update',
      operation: 'updateUser',
      example: '0197a4c2 --role operator',
    },
    {
      name: 'rm',
      operation: 'deleteUser',
      example: '0197a4c2',
      done: 'removed',
    },
    {
      name: 'invite',
      operation: 'inviteUser',
      example: 'ada@example.com --role developer',
      args: ['email'],
    },
    {
      name: 'invitations',
      operation: 'listInvitations',
      example: '',
      list: 'invitations',
      columns: ['email', 'role', 'expires_at', 'id'],
      empty: 'no open invitations',
    },
    {
      name: 'uninvite',
      operation: 'deleteInvitation',
      example: '0197a4c2',
      done: 'removed',
    },
    {
      name: 'accept',
      operation: 'acceptInvitation',
      example: 'TOKEN --name Ada --body @password.json',
      args: ['token'],
    },
  ],
}
