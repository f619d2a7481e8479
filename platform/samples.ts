interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Samples of a Prometheus page by the name of their metric. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

const line = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/
const label = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g

/** Samples of the Prometheus text format (0.0.4) with these names, or all. */
export function samplesOf(text: string, wanted?: ReadonlySet<string>): Samples {
  const samples = new Map<string, Sample[]>()
  for (const one of text.split('\n')) {
    const [, name, labels = '', value] = line.exec(one) ?? []
    if (name === undefined || wanted?.has(name) === false) continue
    const known = samples.get(name) ?? []
    samples.set(name, known)
    const pairs = Array.from(labels.matchAll(label), ([, key, content]) => [key, content])
    known.push({ labels: Object.fromEntries(pairs), value: Number(value) })
  }
  return samples
}
