// What every checker is given, and what it says.

import type { Bus } from '../../bus/types.ts'
import type { Retry } from '../../cluster/retry.ts'
import type { RunDocument } from '../../cluster/document.ts'

export const rules = ['ledger', 'settles-once', 'samples', 'rewards', 'infrastructure-scored', 'truth', 'fencing', 'leases', 'sandboxes', 'limits', 'order', 'liveness', 'defect'] as const
export type Rule = typeof rules[number]

export interface Violation { rule: Rule; what: string }

/** What users put back out of quarantine. */
export interface PutBack {
  /** By key of a sample, its reward: published before its episode was played on, and not changed by that. */
  published: Map<string, number>
  /** Those that lost their outcome by it. */
  episodes: Set<string>
  /** What they removed may be written once more. */
  forget (log: 'records' | 'samples', key: string): void
}

export type Say = (rule: Rule, what: string) => void

/** What is looked at once everything is over: a connection that nothing befalls. */
export interface Aftermath { inner: Bus; retry: Retry; document: RunDocument; published: PutBack['published'] }
