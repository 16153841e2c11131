// The work queue in one process: priority order, a fixed number of slots, redelivery and quarantine.

import { SparError, toPlain } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { workCancelled, type Delivery, type Work, type WorkEnding, type WorkKind, type WorkQueue } from './work.ts'

export interface MemoryQueueOptions {
  /** Pieces of work in flight at a time. */
  slots: number
  /** Deliveries before work is put in quarantine. */
  deliveriesMax?: number
  /** Pieces of work waiting or in flight. */
  workMax?: number
  /** Pause before work is delivered again: doubled with every delivery. */
  redeliverMs?: number
  clock: Clock
  /** Told about every step, in order: the ledger listens here. */
  onEvent?: (event: QueueEvent) => void
}

export type QueueEvent =
  | { type: 'dispatched' | 'started'; work: Work; delivery: number }
  | { type: 'redelivered'; work: Work; delivery: number; code: string; reason: string }
  | { type: 'ended'; work: Work; ending: WorkEnding }

export const queueDefaults = { deliveriesMax: 4, workMax: 10_000, redeliverMs: 250 }

interface Entry { work: Work; sequence: number; deliveries: number; abort: AbortController; end: (ending: WorkEnding) => void; ending: Promise<WorkEnding> }

export function createMemoryQueue (options: MemoryQueueOptions): WorkQueue {
  const { slots, deliveriesMax, workMax, redeliverMs, clock, onEvent = () => {} } = { ...queueDefaults, ...options }
  const handlers = new Map<WorkKind, (delivery: Delivery) => Promise<unknown>>()
  const entries = new Map<string, Entry>()
  const waiting: Entry[] = []
  const running = new Set<Promise<void>>()
  let sequence = 0
  let draining = false

  const settle = (entry: Entry, ending: WorkEnding): void => {
    if (!entries.delete(entry.work.id)) return
    onEvent({ type: 'ended', work: entry.work, ending })
    entry.end(ending)
  }

  const enqueue = (entry: Entry): void => {
    const place = waiting.findIndex(other => before(entry, other))
    waiting.splice(place === -1 ? waiting.length : place, 0, entry)
    queueMicrotask(pump)
  }

  function pump (): void {
    while (!draining && running.size < slots) {
      const index = waiting.findIndex(entry => handlers.has(entry.work.kind))
      if (index === -1) return
      const [entry] = waiting.splice(index, 1)
      const task: Promise<void> = deliver(entry!).finally(() => { running.delete(task); pump() })
      running.add(task)
    }
  }

  async function deliver (entry: Entry): Promise<void> {
    entry.deliveries++
    const { work, deliveries } = entry
    onEvent({ type: 'started', work, delivery: deliveries })
    try {
      const result = await handlers.get(work.kind)!({ work, delivery: deliveries, signal: entry.abort.signal })
      settle(entry, { kind: 'settled', result, deliveries })
    } catch (error) {
      const { code, message } = toPlain(error)
      if (code === workCancelled) return settle(entry, { kind: 'cancelled', reason: message, deliveries })
      if (draining || entry.abort.signal.aborted) return
      if (deliveries >= deliveriesMax) return settle(entry, { kind: 'quarantined', code, reason: message, deliveries })
      onEvent({ type: 'redelivered', work, delivery: deliveries, code, reason: message })
      void clock.sleep(redeliverMs * 2 ** (deliveries - 1), entry.abort.signal).then(() => enqueue(entry), () => {})
    }
  }

  return {
    add (work) {
      const known = entries.get(work.id)
      if (known) return known.ending
      if (entries.size >= workMax) return Promise.reject(new SparError('QUEUE_FULL', `Cannot queue "${work.id}": ${workMax} pieces of work are waiting already`, { retryable: true }))
      let end!: (ending: WorkEnding) => void
      const ending = new Promise<WorkEnding>(resolve => { end = resolve })
      const entry: Entry = { work, sequence: sequence++, deliveries: 0, abort: new AbortController(), end, ending }
      entries.set(work.id, entry)
      onEvent({ type: 'dispatched', work, delivery: 0 })
      enqueue(entry)
      return ending
    },
    handle (kind, handler) {
      handlers.set(kind, handler)
      queueMicrotask(pump)
    },
    cancel (id, reason) {
      const entry = entries.get(id)
      if (!entry) return
      const index = waiting.indexOf(entry)
      if (index !== -1) waiting.splice(index, 1)
      entry.abort.abort(new SparError(workCancelled, reason))
      settle(entry, { kind: 'cancelled', reason, deliveries: entry.deliveries })
    },
    async drain (graceMs) {
      draining = true
      const grace = new AbortController()
      await Promise.race([Promise.all(running), clock.sleep(graceMs, grace.signal).catch(() => {})])
      grace.abort()
      for (const entry of entries.values()) entry.abort.abort(new SparError('QUEUE_DRAINED', 'The queue was drained', { retryable: true }))
      await Promise.allSettled(running)
    }
  }
}

const before = (one: Entry, other: Entry): boolean =>
  one.work.priority !== other.work.priority ? one.work.priority > other.work.priority : one.sequence < other.sequence
