// How long tasks waited and ran, by name, as histograms. A running time is taken from the pool's side, with the way to the
// thread and back; tasks of one message share its time evenly.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Microseconds. */
export interface Quantiles { p50: number; p99: number; max: number; mean: number }
export interface TaskMeasures { count: number; failed: number; lost: number; waitUs: Quantiles; runUs: Quantiles }

export interface Measures {
  /** Milliseconds, from the pool's clock. */
  ran (name: string, waitMs: number, runMs: number, ok: boolean): void
  /** A thread died under a task. */
  lost (name: string): void
  read (): Record<string, TaskMeasures>
}

interface Entry { wait: RecordableHistogram; run: RecordableHistogram; failed: number; lost: number }

export function createMeasures (): Measures {
  const entries = new Map<string, Entry>()
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name) ?? { wait: createHistogram(), run: createHistogram(), failed: 0, lost: 0 }
    entries.set(name, entry)
    return entry
  }
  const record = (histogram: RecordableHistogram, ms: number): void => { histogram.record(Math.max(1, Math.round(ms * 1000))) }
  return {
    ran (name, waitMs, runMs, ok) {
      const entry = entryOf(name)
      record(entry.wait, waitMs)
      record(entry.run, runMs)
      if (!ok) entry.failed++
    },
    lost: name => { entryOf(name).lost++ },
    read: () => Object.fromEntries([...entries].map(([name, { wait, run, failed, lost }]) =>
      [name, { count: run.count, failed, lost, waitUs: quantilesOf(wait), runUs: quantilesOf(run) }]))
  }
}

const quantilesOf = (histogram: RecordableHistogram): Quantiles => histogram.count === 0
  ? { p50: 0, p99: 0, max: 0, mean: 0 }
  : { p50: histogram.percentile(50), p99: histogram.percentile(99), max: histogram.max, mean: Math.round(histogram.mean) }
