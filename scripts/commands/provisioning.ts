import type { Noun } from '#scripts/rest/verb.ts'

export const provisioning: Noun = {
  name: 'provisioning',
  text: 'how devices come by their keys',
  verbs: [
    {
      name: 'list',
      operation: 'listProvisioningKeys',
      example: '',
      columns: ['id', 'label', 'uses', 'max_uses', 'expires_at'],
    },
    {
      name: 'add',
      operation: 'createProvisioningKey',
      example: '--label "line 1" --max-uses 1000',
    },
    {
      name: 'rm',
      operation: 'deleteProvisioningKey',
      example: '0197a4c2',
      done: 'removed',
    },
    {
      name: 'codes',
      operation: 'createClaimCode',
      example: '--count 10 --expires-at 2027-12-31T00:00:00Z',
      list: 'codes',
      columns: ['code', 'key', 'qr'],
    },
    {
      name: 'claim',
      operation: 'createClaim',
      example: 'ABCD-EFGH --name pump-1',
      args: ['code'],
    },
  ],
}
