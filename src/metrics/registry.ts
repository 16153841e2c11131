// The registry: the table of definitions as metrics of prom-client, with a bound on their series. Counters are plain numbers
// here, which prom-client reads when it is asked: counting costs a look into a map.
//
// M1. A metric has at most `seriesMax` label sets, and those of `other` beside them: labels never grow with time or with work.

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { definitions, metricsLimits, type Definition, type MetricName } from './definitions.ts'
import type { Count, Labels, Metrics, Sample } from './types.ts'

export interface MetricsOptions {
  /** With those of the process: memory, processor, event loop, garbage collection. */
  process?: boolean
  limits?: Partial<typeof metricsLimits>
}

type Source = () => readonly Sample[] | Promise<readonly Sample[]>
interface Series { labels: Labels; count: Count }
/** `folded`: those of `other`. */
interface Held { definition: Definition; series: Map<string, Series>; folded: Map<string, Series>; sources: Set<Source> }

const other = 'other'

export function createMetrics (options: MetricsOptions = {}): Metrics {
  const limits = { ...metricsLimits, ...options.limits }
  const registry = new Registry()
  if (options.process === true) collectDefaultMetrics({ register: registry })
  const held = Object.fromEntries(Object.entries(definitions).map(([name, definition]) => [name, { definition, series: new Map(), folded: new Map(), sources: new Set() }])) as unknown as Record<MetricName, Held>
  const histograms = new Map<MetricName, Histogram>()
  let asked: Promise<string> | null = null

  /** M1. */
  const seriesMaxOf = ({ seriesPerRun }: Definition): number => seriesPerRun === undefined ? limits.seriesMax : seriesPerRun * limits.runsMax

  const seriesOf = (name: MetricName, given: Labels): Series => {
    const { definition, series, folded } = held[name]
    const { labels: names, seriesPerRun } = definition
    const key = keyOf(names, given)
    const known = series.get(key)
    if (known !== undefined) return known
    if (series.size < seriesMaxOf(definition)) return open(series, key, cut(names, given, limits.labelCharsMax))
    seriesOf('spar_metrics_folded_total', { metric: name }).count.value++
    const labels = cut(names, { ...given, ...Object.fromEntries((seriesPerRun === undefined ? names : ['run']).map(label => [label, other])) }, limits.labelCharsMax)
    const foldedKey = keyOf(names, labels)
    return folded.get(foldedKey) ?? open(folded, foldedKey, labels)
  }

  /** The series that are counted here, and what the sources say; of these no more than the metric may have. */
  const fill = async ({ definition, series, folded, sources }: Held, metric: { reset (): void }, put: (sample: Sample) => void): Promise<void> => {
    const said = (await Promise.allSettled([...sources].map(async source => await source()))).flatMap(result => result.status === 'fulfilled' ? result.value : [])
    metric.reset()
    for (const { labels, count } of [...series.values(), ...folded.values()]) put({ labels, value: count.value })
    for (const { labels, value } of said.slice(0, seriesMaxOf(definition))) put({ labels: cut(definition.labels, labels, limits.labelCharsMax), value })
  }

  for (const [name, { definition }] of Object.entries(held) as [MetricName, Held][]) {
    const about = { name, help: definition.help, labelNames: [...definition.labels], registers: [registry] }
    if (definition.type === 'histogram') histograms.set(name, new Histogram({ ...about, buckets: [...definition.buckets!] }))
    else if (definition.type === 'gauge') new Gauge({ ...about, async collect () { await fill(held[name], this, ({ labels, value }) => this.set(labels, value)) } })
    else new Counter({ ...about, async collect () { await fill(held[name], this, ({ labels, value }) => this.inc(labels, value)) } })
  }

  // What is not there yet cannot be seen to grow.
  for (const { definition: { type, labels }, series } of Object.values(held)) if (type === 'counter' && labels.length === 0) open(series, '', {})

  const metrics: Metrics = {
    contentType: registry.contentType,
    add (name, labels = {}, by = 1) { seriesOf(name, labels).count.value += by },
    counter: (name, labels = {}) => seriesOf(name, labels).count,
    observe (name, labels, value) { histograms.get(name)!.observe(seriesOf(name, labels).labels, value) },
    read (name, source) {
      held[name].sources.add(source)
      return () => { held[name].sources.delete(source) }
    },
    forgetRun (run) {
      for (const { definition: { labels }, series } of Object.values(held)) {
        if (labels.includes('run')) for (const [key, { labels }] of series) if (labels['run'] === run) series.delete(key)
      }
    },
    expose: () => asked ??= registry.metrics().finally(() => { asked = null })
  }
  return metrics
}

const keyOf = (names: readonly string[], labels: Labels): string => names.length === 1 ? labels[names[0]!] ?? '' : names.map(name => labels[name] ?? '').join('\u0000')

const cut = (names: readonly string[], labels: Labels, charsMax: number): Labels => Object.fromEntries(names.map(name => [name, (labels[name] ?? '').slice(0, charsMax)]))

function open (series: Map<string, Series>, key: string, labels: Labels): Series {
  const opened = { labels, count: { value: 0 } }
  series.set(key, opened)
  return opened
}
