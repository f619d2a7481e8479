import { PlatformError } from '../errors.ts'

/** What organisations say of their devices: `site` is `berlin`. */
export type Labels = Readonly<Record<string, string>>

export const labelKey = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/
/** Commas would end a value in a selector. */
export const labelValue = /^[^\p{C},]{0,128}$/u
/** All of them are in memory for searches. */
export const maxLabels = 32

/** One term of a selector; all must hold. */
export interface LabelTerm {
  readonly key: string
  /** Absent: whatever it is. */
  readonly value: string | undefined
  /** The opposite is wanted. A device without the label satisfies `key!=value`. */
  readonly not: boolean
}

/** More terms are a mistake rather than a question. */
const maxTerms = 16

/** `site=berlin,env!=test,floor,!retired`. PlatformError `invalid_field`. */
export function parseSelector(text: string): LabelTerm[] {
  const parts = text.split(',')
  if (parts.length > maxTerms) throw wrong(`must have at most ${maxTerms} terms`)
  return parts.map((part) => {
    const found = /^\s*(!?)([^=!\s]+)\s*(?:(!?)=(.*))?$/.exec(part)
    const [, absent, key, not, value] = found ?? []
    if (key === undefined || !labelKey.test(key) || (absent === '!' && value !== undefined)) {
      throw wrong(`"${part.slice(0, 64)}" is none of "key", "!key", "key=value" and "key!=value"`)
    }
    return { key, value: value?.trim(), not: absent === '!' || not === '!' }
  })
}

export function selects(terms: readonly LabelTerm[], labels: Labels): boolean {
  return terms.every(({ key, value, not }) => {
    const own = Object.hasOwn(labels, key) ? labels[key] : undefined
    const holds = value === undefined ? own !== undefined : own === value
    return holds !== not
  })
}

/** PlatformError `invalid_field`. */
export function checkLabels(labels: Labels): void {
  const entries = Object.entries(labels)
  if (entries.length > maxLabels) {
    throw new PlatformError('invalid_field', `must be at most ${maxLabels}`, 'labels')
  }
  for (const [key, value] of entries) {
    if (!labelKey.test(key)) {
      throw new PlatformError(
        'invalid_field',
        `"${key.slice(0, 64)}" must be 1 to 63 of A-Z, a-z, 0-9, ., _, / and -, a letter or digit first`,
        'labels',
      )
    }
    if (!labelValue.test(value)) {
      throw new PlatformError(
        'invalid_field',
        `the value of "${key}" must be at most 128 characters without commas and control characters`,
        'labels',
      )
    }
  }
}

function wrong(message: string): PlatformError {
  return new PlatformError('invalid_field', message, 'label')
}
