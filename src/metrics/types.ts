// Metrics as a port: whoever counts is handed this, or nothing, and then it costs nothing.

import type { CounterName, GaugeName, HistogramName } from './definitions.ts'

export type Labels = Readonly<Record<string, string>>

/** One series of a counter. */
export interface Count { value: number }

export interface Sample { labels: Labels; value: number }

export interface Metrics {
  add (name: CounterName, labels?: Labels, by?: number): void
  /** The series itself, for what is counted very often: add to its value. */
  counter (name: CounterName, labels?: Labels): Count
  /** Seconds. */
  observe (name: HistogramName, labels: Labels, value: number): void
  /**
   * A source that is read when somebody asks; of a counter, one that somebody else keeps. A source that rejects says nothing this
   * time. The answer takes it away.
   */
  read (name: GaugeName | CounterName, source: () => readonly Sample[] | Promise<readonly Sample[]>): () => void
  /** The series of a run are no more. */
  forgetRun (run: string): void
  /** In Prometheus' text format. Whoever asks while somebody asks gets the same answer. */
  expose (): Promise<string>
  readonly contentType: string
}
