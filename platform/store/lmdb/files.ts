import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from '../store.ts'
import { freeBytes, storeErrorOf } from './failures.ts'

/** Bytes that new files need: LMDB maps its lock file, and a mapped write on a full disk is a SIGBUS. */
const newFilesBytes = 256 * 1024

/** Where LMDB keeps what in a meta page (mdb.c, MDB_meta behind MDB_page_header; little-endian, 64 bit). */
const meta = {
  magic: 24,
  version: 28,
  pageSize: 48,
  freeRoot: 88,
  mainRoot: 136,
  transaction: 152,
  bytes: 160,
} as const
const lmdbMagic = 0xbeefc0de
const lmdbVersion = 2
const noRoot = 0xffff_ffff_ffff_ffffn

/**
 * Makes sure that LMDB can open its files. It has to be done before: lmdb-js (3.5) ends in a segmentation fault
 * when LMDB refuses to open.
 *
 * @throws StoreError `corrupt`, `version`, `readonly`, `full`, `unavailable`
 */
export function checkFiles(directory: string): void {
  const data = openIfThere(directory, 'data.mdb')
  const lock = openIfThere(directory, 'lock.mdb')
  try {
    if ((data === null || lock === null) && freeBytes(directory) < newFilesBytes) {
      throw new StoreError('full', `no space for new data in ${directory}: ${newFilesBytes} bytes are needed`)
    }
    if (data !== null) checkData(data, directory)
  } finally {
    for (const descriptor of [data, lock]) if (descriptor !== null) closeSync(descriptor)
  }
}

function openIfThere(directory: string, name: string): number | null {
  try {
    return openSync(join(directory, name), 'r+')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw storeErrorOf(error, 'cannot open the data in', directory)
  }
}

function checkData(descriptor: number, directory: string): void {
  const { size } = fstatSync(descriptor)
  // As LMDB left it when it was killed while it made the file.
  if (size === 0) return
  const first = readMeta(descriptor, 0)
  if (first.readUInt32LE(meta.magic) !== lmdbMagic) throw damaged(directory, 'it is no LMDB file')
  const version = first.readUInt32LE(meta.version) & 0xffff
  if (version !== lmdbVersion) {
    throw new StoreError(
      'version',
      `data.mdb in ${directory} has LMDB format ${version}, this version reads ${lmdbVersion}`,
    )
  }
  const pageSize = first.readUInt32LE(meta.pageSize)
  const pages = BigInt(Math.floor(size / Math.max(pageSize, 1)))
  if (pageSize < 256 || pages < 2n) throw damaged(directory, 'its first page is broken')
  const second = readMeta(descriptor, pageSize)
  const newest =
    first.readBigUInt64LE(meta.transaction) >= second.readBigUInt64LE(meta.transaction) ? first : second
  for (const at of [meta.freeRoot, meta.mainRoot]) {
    const root = newest.readBigUInt64LE(at)
    if (root !== noRoot && root >= pages) throw damaged(directory, 'it was cut off')
  }
}

function readMeta(descriptor: number, position: number): Buffer {
  const bytes = Buffer.alloc(meta.bytes)
  readSync(descriptor, bytes, 0, meta.bytes, position)
  return bytes
}

function damaged(directory: string, how: string): StoreError {
  return new StoreError('corrupt', `data.mdb in ${directory} is damaged: ${how}; restore it from a backup`)
}
