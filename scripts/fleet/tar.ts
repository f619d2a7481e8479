import { renameSync } from 'node:fs'
import { must } from '#scripts/child-process.ts'

/** The same contents are the same file, whoever packs them and when. */
const reproducible = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--mode=go=rX,u+rw',
]

/** Packs files of a directory into a file that is whole or not there. */
export async function tar(
  file: string,
  directory: string,
  names: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  await must('tar', [...reproducible, ...more, '-C', directory, '-cf', `${file}.new`, ...names])
  renameSync(`${file}.new`, file)
}
