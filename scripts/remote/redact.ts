const hidden = '[hidden]'

/** What secrets look like, wherever they are; each keeps what says which one it was. */
const patterns: readonly (readonly [RegExp, string])[] = [
  // Ours: platform/auth/keys.ts.
  [/\b([ktnp]_)[0-9a-f]{32}\b/g, `$1${hidden}`],
  // Seeds of NATS: user, account, operator, node, cluster.
  [/\b(S[UAONC])[A-Z2-7]{56}\b/g, `$1${hidden}`],
  // JSON Web Tokens.
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+/g, hidden],
  // `Authorization: Bearer ...`, `bearer ...`
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  // A URL's password.
  [/(\w+:\/\/[^\s:/@]*:)[^\s@/]+@/g, `$1${hidden}@`],
  // AWS.
  [/\b(AKIA|ASIA)[A-Z0-9]{16}\b/g, `$1${hidden}`],
  // `password: x`, `"api_key":"x"`, `SECRET=x`; not a file's path, and not a mere mention.
  [
    /((?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|seed|cookie)["']?\s*[:=]\s*)(?!["']?(?:\/|\[hidden\]|\[secret\]|null\b|true\b|false\b))("[^"]*"|'[^']*'|[^\s,;}&"']+)/gi,
    `$1${hidden}`,
  ],
]

/** A function for the lines of one text, in their order: without what looks like a secret. */
export function redactor(): (line: string) => string {
  let inKey = false
  return (line) => {
    if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(line)) inKey = true
    if (inKey) {
      if (/-----END [A-Z ]*PRIVATE KEY-----/.test(line)) inKey = false
      return hidden
    }
    return patterns.reduce((text, [pattern, instead]) => text.replaceAll(pattern, instead), line)
  }
}
