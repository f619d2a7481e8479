import type { SimProcess } from './process.ts'

/** Brokers with one mistake each, made from outside: each must be found by some seed. */
export const variants: Record<string, (process: SimProcess) => void> = {}
