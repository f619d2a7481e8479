import { table } from '../store/table.ts'

/** An organisation; the id is its name in every key of every table, so it never changes and is never given again. */
export const organisation = table({
  name: 'organisation',
  partition: { id: 'text' },
  clustering: {},
  columns: {
    name: 'text',
    /** IoT Guru's user short id. */
    user: 'text',
    /** JSON list of rules for its devices; absent: the default ones. */
    acl: 'text',
    token_hash: 'blob',
    created_at: 'long',
    /** Deleted; the row stays so that nobody inherits the data by taking the id. */
    deleted_at: 'long',
    version: 'long',
    /** `geo`; absent: `local`. */
    durability: 'text',
  },
  compaction: 'UCS',
})

/** Which organisation an IoT Guru user short id is. */
export const organisationByUser = table({
  name: 'organisation_by_user',
  partition: { user: 'text' },
  clustering: {},
  columns: { org: 'text' },
  compaction: 'UCS',
})

export const device = table({
  name: 'device',
  partition: { org: 'text', id: 'text' },
  clustering: {},
  columns: {
    name: 'text',
    key_hash: 'blob',
    created_at: 'long',
    /** Counts its changes; from the clock, so that a device made later with the same id has greater ones. */
    version: 'long',
    description: 'text',
    /** JSON object of texts. */
    labels: 'text',
    /** JSON list of ids of groups. */
    groups: 'text',
    profile: 'text',
    /** It may not connect. */
    disabled: 'boolean',
    /** Version at which connections made before stopped being good; absent: `version`. */
    key_version: 'long',
  },
  compaction: 'UCS',
})

/** Buckets of an organisation's devices (by the id's hash) in tables that are read as a whole; never change it. */
export const deviceBuckets = 64

/** What lists and searches show of a device, in a table of its own because it is read as a whole. */
export const deviceEntry = table({
  name: 'device_entry',
  partition: { org: 'text', bucket: 'int' },
  clustering: { device: 'text' },
  columns: {
    name: 'text',
    description: 'text',
    labels: 'text',
    groups: 'text',
    profile: 'text',
    disabled: 'boolean',
    created_at: 'long',
    /** Of the device's row: the newest one wins. */
    version: 'long',
  },
  stamp: 'version',
  compaction: 'UCS',
})

/** When a device came or went (`seen`), showed a key (`heard`), what it runs (`firmware`): rows with the time of the news. */
export const deviceSighting = table({
  name: 'device_sighting',
  partition: { org: 'text', bucket: 'int' },
  clustering: { device: 'text', kind: 'text' },
  columns: { at: 'long', online: 'boolean', firmware: 'text' },
  stamp: 'at',
  compaction: 'UCS',
})

/** Devices whose entry or sighting was written, for processes that have all of them in memory. */
export const deviceChange = table({
  name: 'device_change',
  /** Ten minutes of the clock. */
  partition: { org: 'text', slot: 'long' },
  clustering: { at: 'long', writer: 'text' },
  /** JSON list of ids. */
  columns: { devices: 'text' },
  ttlDays: 1,
  compaction: 'TWCS',
})

/** Groups of devices; an id is never given again. */
export const deviceGroup = table({
  name: 'device_group',
  partition: { org: 'text' },
  clustering: { id: 'text' },
  columns: {
    name: 'text',
    description: 'text',
    parent: 'text',
    created_at: 'long',
    version: 'long',
    deleted_at: 'long',
  },
  compaction: 'UCS',
})

/** Work on many things; the process that does it writes how far it is. */
export const task = table({
  name: 'task',
  partition: { org: 'text' },
  /** UUID v7: in order of time. */
  clustering: { id: 'text' },
  columns: {
    kind: 'text',
    state: 'text',
    /** JSON: what to do. */
    spec: 'text',
    /** JSON: who asked for it. */
    actor: 'text',
    created_at: 'long',
    started_at: 'long',
    finished_at: 'long',
    total: 'int',
    succeeded: 'int',
    failed: 'int',
    skipped: 'int',
    /** Parts of its input that are done. */
    parts_done: 'int',
    parts: 'int',
    error: 'text',
    /** Process that does it, until then. */
    owner: 'text',
    leased_until: 'long',
    stamp: 'long',
  },
  ttlDays: 30,
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Tasks that are not finished, for processes that look for those whose process is gone. */
export const openTask = table({
  name: 'open_task',
  partition: { part: 'int' },
  clustering: { id: 'text' },
  columns: { org: 'text' },
  ttlDays: 30,
  compaction: 'UCS',
})

/** Somebody wants the task to end. */
export const taskCancel = table({
  name: 'task_cancel',
  partition: { org: 'text' },
  clustering: { id: 'text' },
  columns: { at: 'long' },
  ttlDays: 30,
  compaction: 'UCS',
})

/** From which the keys of imported devices are made; deleted when they have been shown. */
export const taskSecret = table({
  name: 'task_secret',
  partition: { org: 'text', id: 'text' },
  clustering: {},
  columns: { secret: 'blob' },
  ttlDays: 7,
  compaction: 'UCS',
})

/** Items of a task and what became of them, NDJSON of up to some hundred each; `kind`: `input` or `result`. */
export const taskPart = table({
  name: 'task_part',
  partition: { org: 'text', id: 'text', kind: 'text' },
  clustering: { part: 'int' },
  columns: { lines: 'text' },
  ttlDays: 7,
  compaction: 'UCS',
})

/** Buckets of `device_by_name` per organisation; never change it, the rows would not be found. */
export const nameBuckets = 16

/** Names in order, for lists, and each at most once. Buckets (by the name's hash) keep partitions small. */
export const deviceByName = table({
  name: 'device_by_name',
  partition: { org: 'text', bucket: 'int' },
  clustering: { name: 'text' },
  columns: { id: 'text', claimed_at: 'long' },
  compaction: 'UCS',
})

/** A part of a device with a key of its own that may only store values (IoT Guru's node). */
export const node = table({
  name: 'node',
  partition: { org: 'text', device: 'text' },
  clustering: { node: 'text' },
  columns: { name: 'text', key_hash: 'blob', created_at: 'long' },
  compaction: 'UCS',
})

/**
 * Whose a key is, found by its SHA-256. Only a hint: a key is good while the row of its owner has the same hash, so
 * that of two rotations at a time one wins.
 */
export const credential = table({
  name: 'credential',
  partition: { hash: 'blob' },
  clustering: {},
  columns: { kind: 'text', org: 'text', device: 'text', node: 'text', created_at: 'long' },
  compaction: 'UCS',
})

/** The last sign of life by HTTP (IoT Guru's firmware check). */
export const checkIn = table({
  name: 'check_in',
  partition: { org: 'text', device: 'text' },
  clustering: {},
  /** What the device says it runs; absent: it did not say. */
  columns: { at: 'long', version: 'text' },
  stamp: 'at',
  compaction: 'UCS',
})

/** Keys of a device beside the one in its row; a row's end ends the key. */
export const deviceKey = table({
  name: 'device_key',
  partition: { org: 'text', device: 'text' },
  /** Made of the hash (`keyId`). */
  clustering: { id: 'text' },
  columns: { hash: 'blob', label: 'text', created_at: 'long', expires_at: 'long' },
  compaction: 'UCS',
})

/** When a key or certificate of a device was last used, to the hour. */
export const credentialUse = table({
  name: 'credential_use',
  partition: { org: 'text', device: 'text' },
  clustering: { id: 'text' },
  columns: { at: 'long' },
  stamp: 'at',
  compaction: 'UCS',
})

/** Certificate authorities of organisations, whose certificates make devices known. */
export const authority = table({
  name: 'authority',
  partition: { org: 'text' },
  /** The first 16 bytes of the SHA-256 of its certificate, hex. */
  clustering: { id: 'text' },
  columns: {
    pem: 'text',
    label: 'text',
    /** `pending` until the nonce is signed, `active`, `disabled`. */
    state: 'text',
    nonce: 'text',
    /** JSON: how devices are registered. */
    options: 'text',
    created_at: 'long',
    version: 'long',
  },
  compaction: 'UCS',
})

/** Whose the key of an authority is: of one organisation only. */
export const authorityByKey = table({
  name: 'authority_by_key',
  /** SHA-256 of its SubjectPublicKeyInfo. */
  partition: { key: 'blob' },
  clustering: {},
  columns: { org: 'text', authority: 'text', claimed_at: 'long' },
  compaction: 'UCS',
})

/** Active authorities by the name that stands as issuer in certificates; more than one may have it. */
export const authorityByName = table({
  name: 'authority_by_name',
  /** SHA-256 of the subject. */
  partition: { name: 'blob' },
  clustering: { org: 'text', id: 'text' },
  columns: { claimed_at: 'long' },
  compaction: 'UCS',
})

/** Certificates that devices have shown, or that were revoked before they did; bucket by the fingerprint's first byte. */
export const deviceCertificate = table({
  name: 'device_certificate',
  partition: { org: 'text', bucket: 'int' },
  /** SHA-256, hex. */
  clustering: { fingerprint: 'text' },
  columns: {
    device: 'text',
    authority: 'text',
    subject: 'text',
    serial: 'text',
    not_before: 'long',
    not_after: 'long',
    first_seen: 'long',
    revoked_at: 'long',
    stamp: 'long',
  },
  stamp: 'stamp',
  compaction: 'UCS',
})

/** Serial numbers of an authority that are good no more. */
export const revokedSerial = table({
  name: 'revoked_serial',
  partition: { org: 'text', authority: 'text' },
  clustering: { serial: 'text' },
  columns: { revoked_at: 'long' },
  compaction: 'UCS',
})

/** Keys by which devices that have none of their own get one. */
export const provisioningKey = table({
  name: 'provisioning_key',
  partition: { org: 'text' },
  clustering: { id: 'text' },
  columns: {
    hash: 'blob',
    label: 'text',
    max_uses: 'int',
    uses: 'int',
    expires_at: 'long',
    /** JSON: what devices get (groups, labels, profile). */
    template: 'text',
    created_at: 'long',
    /** Counts its uses and changes. */
    version: 'long',
  },
  compaction: 'UCS',
})

/** What a device's nonce has got it. */
export const provisioned = table({
  name: 'provisioned',
  /** SHA-256 of provisioning key and nonce. */
  partition: { org: 'text', nonce: 'blob' },
  clustering: {},
  columns: { device: 'text', at: 'long', version: 'long' },
  compaction: 'UCS',
})

/** Codes by which people make a device theirs. */
export const claimCode = table({
  name: 'claim_code',
  /** SHA-256 of the code. */
  partition: { code: 'blob' },
  clustering: {},
  columns: {
    /** Who made it. */
    maker: 'text',
    /** SHA-256 of the key that the device has from its factory. */
    key_hash: 'blob',
    batch: 'text',
    template: 'text',
    created_at: 'long',
    expires_at: 'long',
    /** Who claimed it. */
    org: 'text',
    device: 'text',
    claimed_at: 'long',
    version: 'long',
  },
  compaction: 'UCS',
})
