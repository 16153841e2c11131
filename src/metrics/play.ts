// What is known of a process that plays one run, read when somebody asks: in the names of a node's metrics, as far as they fit.

import type { RunStore } from '../store/run.ts'
import type { Metrics, Sample } from './types.ts'

export interface MeasuredPlay {
  node: string
  version: string
  store: Pick<RunStore, 'run' | 'ledger' | 'file'>
  jobs: number
  isReady (): boolean
  work (): { waiting: number; busy: number }
}

export function measurePlay (metrics: Metrics, { node, version, store, jobs, isReady, work }: MeasuredPlay): void {
  const queued = { kind: 'work', arena: store.file().arena.id }
  const one = (value: number, labels: Sample['labels'] = {}): Sample[] => [{ labels, value }]
  metrics.read('spar_node_info', () => one(1, { node, version }))
  metrics.read('spar_node_ready', () => one(isReady() ? 1 : 0))
  metrics.read('spar_slots', () => one(jobs, { kind: 'work' }))
  metrics.read('spar_slots_busy', () => one(work().busy, { kind: 'work' }))
  metrics.read('spar_queue_waiting', () => one(work().waiting, queued))
  metrics.read('spar_queue_taken', () => one(work().busy, queued))
  // The ledger's own counts: a run that goes on goes on with them.
  metrics.read('spar_ledger_total', () => Object.entries(store.ledger.totals()).map(([state, value]) => ({ labels: { run: store.run, state }, value })))
}
