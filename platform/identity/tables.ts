import { table } from '../store/table.ts'

/**
 * A person. Not of an organisation: `membership` says in which ones he is. All but the uniqueness of the e-mail address
 * works in a DC that is alone, so rows are the newest writer's.
 */
export const userAccount = table({
  name: 'user_account',
  partition: { id: 'text' },
  clustering: {},
  columns: {
    email: 'text',
    name: 'text',
    created_at: 'long',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Who administers the platform. Apart from the account, too: who changes his name must not bring it back. */
export const administrator = table({
  name: 'administrator',
  partition: { scope: 'text' },
  clustering: { user: 'text' },
  columns: { gone: 'boolean', stamp: 'long' },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Apart from the account, so that a change of one is no change of the other. */
export const userPassword = table({
  name: 'user_password',
  partition: { user: 'text' },
  clustering: {},
  columns: {
    /** Argon2id in PHC format. */
    hash: 'text',
    /** A new one with each password: sessions begun under another one are over, wherever they were begun. */
    epoch: 'text',
    changed_at: 'long',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Each address at most once. */
export const userByEmail = table({
  name: 'user_by_email',
  partition: { email: 'text' },
  clustering: {},
  columns: { user: 'text', claimed_at: 'long' },
  compaction: 'UCS',
})

/** What a user may do in an organisation. */
export const membership = table({
  name: 'membership',
  partition: { user: 'text' },
  clustering: { org: 'text' },
  columns: {
    role: 'text',
    /** JSON list of group ids; absent: all devices. */
    groups: 'text',
    /** A higher role until then, milliseconds since 1970. */
    elevated_role: 'text',
    elevated_until: 'long',
    created_at: 'long',
    /** Removed; the row stays as a marker so that an older write cannot bring it back. */
    gone: 'boolean',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Who may be a member of an organisation, for lists; `membership` is the truth. */
export const member = table({
  name: 'member',
  partition: { org: 'text' },
  clustering: { user: 'text' },
  columns: { gone: 'boolean', stamp: 'long' },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** An e-mail address that was asked to join. Ends with its token. */
export const invitation = table({
  name: 'invitation',
  partition: { org: 'text' },
  clustering: { id: 'text' },
  columns: {
    email: 'text',
    role: 'text',
    groups: 'text',
    invited_by: 'text',
    token_hash: 'blob',
    created_at: 'long',
    expires_at: 'long',
  },
  ttlDays: 8,
  compaction: 'UCS',
})

/** What a link that was sent is good for, by the SHA-256 of its token. Deleted when it is used. */
export const oneTimeToken = table({
  name: 'one_time_token',
  partition: { hash: 'blob' },
  clustering: {},
  columns: {
    /** `invitation`, `reset`, `setup`. */
    kind: 'text',
    org: 'text',
    invitation: 'text',
    user: 'text',
    expires_at: 'long',
  },
  ttlDays: 8,
  compaction: 'UCS',
})

/** What may be done once only in the life of a cell: to create its first administrator. */
export const identityClaim = table({
  name: 'identity_claim',
  partition: { name: 'text' },
  clustering: {},
  columns: { user: 'text', claimed_at: 'long' },
  compaction: 'UCS',
})

/**
 * A session in up to three rows, none of which undoes another: `began`, `used` (the newest refresh), `ended`, which
 * counts whatever else there is.
 */
export const userSession = table({
  name: 'user_session',
  partition: { user: 'text' },
  clustering: { session: 'text', part: 'text' },
  columns: {
    at: 'long',
    address: 'text',
    agent: 'text',
    /** Of `began`: see `userPassword`. */
    epoch: 'text',
    /** Of `ended`: why. */
    reason: 'text',
    stamp: 'long',
  },
  stamp: 'stamp',
  ttlDays: 90,
  compaction: 'UCS',
})

/** A refresh token by its SHA-256. One that was used stays, so that its second use is seen. */
export const refreshToken = table({
  name: 'refresh_token',
  partition: { hash: 'blob' },
  clustering: {},
  columns: { user: 'text', session: 'text', created_at: 'long', used_at: 'long', stamp: 'long' },
  stamp: 'stamp',
  ttlDays: 30,
  compaction: 'UCS',
})

/** Keys that sign access tokens; each process of the cell verifies with all of them. */
export const signingKey = table({
  name: 'signing_key',
  partition: { purpose: 'text' },
  clustering: { kid: 'text' },
  columns: { public_jwk: 'text', private_jwk: 'text', created_at: 'long', stamp: 'long' },
  stamp: 'stamp',
  ttlDays: 90,
  compaction: 'UCS',
})

/** Never changed, only deleted. */
export const apiKey = table({
  name: 'api_key',
  partition: { org: 'text' },
  clustering: { id: 'text' },
  columns: {
    hash: 'blob',
    name: 'text',
    role: 'text',
    /** JSON lists; absent: all. */
    scopes: 'text',
    groups: 'text',
    created_by: 'text',
    created_at: 'long',
    expires_at: 'long',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Where a key is found by its SHA-256; `api_key` is the truth. */
export const apiKeyByHash = table({
  name: 'api_key_by_hash',
  partition: { hash: 'blob' },
  clustering: {},
  columns: { org: 'text', id: 'text', stamp: 'long' },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Last use of a key, to the minute. */
export const apiKeyUse = table({
  name: 'api_key_use',
  partition: { org: 'text' },
  clustering: { id: 'text' },
  columns: { at: 'long', address: 'text' },
  stamp: 'at',
  compaction: 'UCS',
})
