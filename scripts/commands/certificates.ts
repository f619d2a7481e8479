import type { Noun } from '#scripts/rest/verb.ts'

export const certificates: Noun = {
  name: 'certificates',
  text: 'certificates with which devices have connected',
  verbs: [
    {
      name: 'list',
      operation: 'listCertificates',
      example: '--device pump-1',
      columns: ['fingerprint', 'device', 'subject', 'not_after', 'revoked_at'],
    },
    {
      name: 'revoke',
      operation: 'createCertificateRevoke',
      example: '0f3a5c',
      done: 'revoked',
    },
    {
      name: 'rm',
      operation: 'deleteCertificate',
      example: '0f3a5c',
      done: 'removed',
    },
  ],
}
