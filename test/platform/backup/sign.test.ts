import { expect } from 'chai'
import { sha256, signedHeaders } from '#platform/backup/s3/sign.ts'

/** Examples of the Amazon S3 API reference, "Signature Calculations for the Authorization Header". */
const credentials = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const examples: [
  what: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string,
  signature: string,
][] = [
  [
    'GET of an object',
    'GET',
    '/test.txt',
    { range: 'bytes=0-9' },
    '',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'PUT of an object',
    'PUT',
    '/test%24file.text',
    { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    'Welcome to Amazon S3.',
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  [
    'a query without a value',
    'GET',
    '/?lifecycle',
    {},
    '',
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
  [
    'a listing',
    'GET',
    '/?max-keys=2&prefix=J',
    {},
    '',
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
]

describe('AWS signature version 4', () => {
  for (const [what, method, path, headers, body, signature] of examples) {
    it(`signs ${what} as AWS documents it`, () => {
      const url = new URL(`https://examplebucket.s3.amazonaws.com${path}`)
      const signed = signedHeaders(
        { method, url, headers, bodyHash: sha256(body) },
        credentials,
        'us-east-1',
        new Date('2013-05-24T00:00:00Z'),
      )
      expect(signed.authorization).to.include(`Signature=${signature}`)
    })
  }
})
