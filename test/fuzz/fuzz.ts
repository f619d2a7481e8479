import { checkDecoders } from './codec.ts'
import { corpus } from './corpus.ts'
import { mutate } from './mutate.ts'
import { Random } from './random.ts'

/** An input that broke something, and how. */
export class FuzzFailure extends Error {
  readonly input: Buffer

  constructor(input: Buffer, cause: unknown) {
    super(`${cause instanceof Error ? cause.message : String(cause)}\ninput: ${input.toString('hex')}`, {
      cause,
    })
    this.name = 'FuzzFailure'
    this.input = input
  }
}

/** Endless mutated packets of both versions. The same seed gives the same sequence. */
export function* mutants(seed: number): Generator<Buffer, never> {
  const random = new Random(seed)
  const packets = [...corpus(4, 300, seed), ...corpus(5, 500, seed)]
  for (;;) yield mutate(random.pick(packets), random, random.pick(packets))
}

/** Gives one input to every decoder. Throws FuzzFailure. */
export function fuzzCodec(input: Buffer): void {
  try {
    checkDecoders(input)
  } catch (error) {
    throw new FuzzFailure(input, error)
  }
}
