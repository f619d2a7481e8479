import { expect } from 'chai'
import { describe, it } from 'mocha'
import { newKey } from '#platform/auth/keys.ts'
import { redactor } from '#scripts/remote/redact.ts'

const key = newKey('token')
const seed = `SUAM${'A2'.repeat(27)}`

describe('what looks like a secret', () => {
  const cases: [what: string, text: string, is: string][] = [
    ['a key of ours', `opened by ${key}.`, 'opened by t_[hidden].'],
    ['a seed of NATS', `seed ${seed}`, 'seed SU[hidden]'],
    ['a header', 'authorization: Bearer abcdefgh.ijk', 'authorization: Bearer [hidden]'],
    ['a JSON Web Token', 'x eyJhbGciOiJF.eyJzdWIiOiI.c2ln y', 'x [hidden] y'],
    ['a password in an address', 'https://ada:hunter2@host/x', 'https://ada:[hidden]@host/x'],
    ['a field of YAML', 'gateway_password: hunter2', 'gateway_password: [hidden]'],
    ['a field of JSON', '{"api_key":"a b","n":1}', '{"api_key":[hidden],"n":1}'],
    ['a variable', "CINQUE_SECRET='a b' go", 'CINQUE_SECRET=[hidden] go'],
    ['an option', '--token=abc --n=1', '--token=[hidden] --n=1'],
    [
      "a file's path, which is none",
      'password_file: /etc/cinque/password',
      'password_file: /etc/cinque/password',
    ],
    [
      'what Cassandra calls so, which is none',
      'num_tokens: 16, seeds: 10.0.0.1',
      'num_tokens: 16, seeds: 10.0.0.1',
    ],
    ['a mention, which is none', 'the password was wrong', 'the password was wrong'],
  ]
  for (const [what, text, is] of cases) {
    it(`is taken out of a line: ${what}`, () => expect(redactor()(text)).to.equal(is))
  }

  it('is taken out when it has several lines, and what comes after stays', () => {
    const redact = redactor()
    const pem = ['-----BEGIN EC PRIVATE KEY-----', 'MHcCAQEE', '-----END EC PRIVATE KEY-----', 'after']
    expect(pem.map((line) => redact(line))).to.deep.equal(['[hidden]', '[hidden]', '[hidden]', 'after'])
  })
})
