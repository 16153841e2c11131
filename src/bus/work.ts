// The work queue of a run. A piece of work is named by its id; whoever adds it gets its ending, whoever takes it may die:
// work that fails by infrastructure is delivered again, and is put in quarantine after `deliveriesMax` deliveries.
// The memory queue serves one process; the same contract fits a JetStream work queue.

export type WorkKind = 'break' | 'verify' | 'solve' | 'grade'

/** `payload` is JSON. Work with a higher `priority` is delivered first, equal priorities in the order they were added. */
export interface Work { id: string; kind: WorkKind; priority: number; payload: unknown }

export interface Delivery { work: Work; /** 1 for the first. */ delivery: number; signal: AbortSignal }

/** What became of a piece of work. `result` is what the handler returned. */
export type WorkEnding =
  | { kind: 'settled'; result: unknown; deliveries: number }
  | { kind: 'cancelled'; reason: string; deliveries: number }
  | { kind: 'quarantined'; code: string; reason: string; deliveries: number }

export interface Ledger { dispatched: number; settled: number; cancelled: number; quarantined: number }

/** Code of what a handler throws where somebody cancelled the work by hand: that is its ending, and it is not delivered again. */
export const workCancelled = 'WORK_CANCELLED'

export interface WorkQueue {
  /** Adds work, or joins the work of the same id that was added before. Throws QUEUE_FULL above `workMax`. */
  add (work: Work): Promise<WorkEnding>
  /** Sets the handler of a kind. A rejection with `workCancelled` ends it as cancelled; any other, a `retryable` error or a defect, means: deliver again. */
  handle (kind: WorkKind, handler: (delivery: Delivery) => Promise<unknown>): void
  cancel (id: string, reason: string): void
  /**
   * Stops delivering; resolves when nothing is in flight, or after `graceMs` with what was in flight aborted. What fails from
   * then on is neither delivered again nor put in quarantine: it has no ending, and whoever goes on plays it again.
   */
  drain (graceMs: number): Promise<void>
}
