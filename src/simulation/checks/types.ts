// What every checker is given, and what it says.

import type { Bus } from '../../bus/types.ts'
import type { Retry } from '../../cluster/retry.ts'
import type { RunDocument } from '../../cluster/document.ts'

export const rules = ['ledger', 'settles-once', 'samples', 'rewards', 'infrastructure-scored', 'truth', 'fencing', 'leases', 'sandboxes', 'limits', 'order', 'liveness', 'defect'] as const
export type Rule = typeof rules[number]

export interface Violation { rule: Rule; what: string }

/** What users put back out of quarantine. */
export interface PutBack {
  /** By `<run>.<episode>`: the work that was put back. */
  works: Map<string, Set<string>>
  /** How often an episode was. */
  times: number
  /** What they removed may be written once more. */
  forget (key: string): void
}

export type Say = (rule: Rule, what: string) => void

/** What is looked at once everything is over: a connection that nothing befalls. */
export interface Aftermath { inner: Bus; retry: Retry; document: RunDocument; putBack: PutBack['works'] }
