import type { Noun } from '#scripts/rest/verb.ts'

export const authorities: Noun = {
  name: 'authorities',
  text: 'certificate authorities whose devices may connect',
  verbs: [
    {
      name: 'list',
      operation: 'listAuthorities',
      example: '',
      columns: ['id', 'label', 'state', 'subject', 'not_after'],
    },
    {
      name: 'add',
      operation: 'createAuthority',
      example: '--certificate "$(cat ca.pem)"',
    },
    {
      name: 'prove',
      operation: 'createAuthorityProof',
      example: '0197a4c2 --certificate "$(cat proof.pem)"',
    },
    {
      name: 'update',
      operation: 'updateAuthority',
      example: '0197a4c2 --label "line 1"',
    },
    {
      name: 'revoke',
      operation: 'createAuthorityRevocation',
      example: '0197a4c2 0F3A5C',
      args: ['serial'],
      done: 'revoked',
    },
    {
      name: 'rm',
      operation: 'deleteAuthority',
      example: '0197a4c2',
      done: 'removed',
    },
  ],
}
