// Reads Prometheus' text format: enough of it for tests.

export interface Scraped {
  /** Metric to type, as the comments say it. */
  types: Map<string, string>
  value (name: string, labels?: Record<string, string>): number | undefined
  /** Series of a name. */
  count (name: string): number
  /** Labels of every series of a name. */
  labels (name: string): Record<string, string>[]
}

interface Series { name: string; labels: Record<string, string>; value: number }

export function scraped (text: string): Scraped {
  const types = new Map<string, string>()
  const series: Series[] = []
  for (const line of text.split('\n')) {
    const [, typed, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (typed !== undefined) types.set(typed, type!)
    if (line === '' || line.startsWith('#')) continue
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (match === null) throw new Error(`this is not Prometheus' text format: ${line}`)
    series.push({ name: match[1]!, labels: Object.fromEntries([...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name!, value!])), value: Number(match[3]) })
  }
  const of = (name: string): Series[] => series.filter(one => one.name === name)
  return {
    types,
    value: (name, labels = {}) => of(name).find(one => Object.keys(one.labels).length === Object.keys(labels).length && Object.entries(labels).every(([label, value]) => one.labels[label] === value))?.value,
    count: name => of(name).length,
    labels: name => of(name).map(({ labels }) => labels)
  }
}
