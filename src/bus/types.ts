// The bus: what nodes share, and nothing else. Two implementations pass one contract suite: `memory` (one process) and
// `nats` (JetStream). Keys and names are tokens joined by dots; a token is one or more of [A-Za-z0-9_-]. Arenas and runs are one token each.
//
// B1. First write wins: `Log.create` and `Queue.add` never replace. Whoever comes second is told so, and nothing changes.
// B2. What a call has confirmed survives a restart of the bus (file storage, synced). The buckets `nodes` and all signals
//     are the exception: they are about the present.
// B3. Every call either does what it says or throws a SparError: BUS_UNAVAILABLE, BUS_FULL (both retryable: nothing is known
//     to have happened, and trying again is safe by B1), BUS_CONFLICT, BUS_DENIED, BUS_TOO_LARGE,
//     BUS_BAD_KEY, BUS_MISSING, BUS_CLOSED. Where several are true, it is one of them.
// B4. Bytes that were given may be used again by whoever gave them; bytes that are read are not to be written into.

import type { Wire } from '../bridge/wire.ts'

/** What nodes take from the queue: runs and episodes are owned, the rest is done. A rollout is of the breaker or of the solver. */
export type QueueKind = 'run' | 'episode' | 'rollout' | 'verify' | 'grade'

/** Where a piece of work waits: `kind` and `arena` say who may take it. */
export interface WorkSubject { kind: QueueKind; arena: string; run: string; id: string }

/** A message that was taken, and has to be answered within `ackWaitMs`, or it is delivered again to somebody else. */
export interface QueueMessage {
  readonly subject: WorkSubject
  readonly bytes: Uint8Array
  /** 1 for the first. */
  readonly delivery: number
  /** Done: removes it for good. Confirmed by the bus. */
  ack (): Promise<void>
  /** Still at it: `ackWaitMs` counts anew. Not confirmed. */
  working (): void
  /** Hands it back: delivered again after `delayMs`. Like `working`, it says nothing once the time was up, or it was handed back. */
  again (delayMs: number): void
}

/** Work that waits for a taker. A message stays until it is acknowledged. */
export interface Queue {
  /** How long a taker may be silent. */
  readonly ackWaitMs: number
  /** `present`: a message of the same subject is there, waiting or taken. Throws BUS_FULL. */
  add (subject: WorkSubject, bytes: Uint8Array): Promise<'added' | 'present'>
  /**
   * One message: first what fell free again, in the order in which it did, then what nobody had, oldest first. null when none came
   * within `waitMs`, or the signal aborted: what came then is handed back, and that delivery counts. Who waits longest is served first.
   */
  pull (kind: QueueKind, arena: string, options: { waitMs: number; signal: AbortSignal }): Promise<QueueMessage | null>
  /** `waiting` for a first taker, and `taken` but not yet acknowledged; what was handed back counts as taken, whoever has it next; what was purged while it was taken may. */
  depth (kind: QueueKind, arena: string): Promise<{ waiting: number; taken: number }>
  /** Kinds and arenas that hold work, of one run or of all. */
  subjects (run?: string): Promise<WorkSubject[]>
  /** Removes the work of a run of these kinds, waiting or taken. */
  purge (run: string, kinds: readonly QueueKind[]): Promise<void>
}

export interface LogEntry {
  key: string
  bytes: Uint8Array
  /** Grows with every entry of the log. */
  sequence: number
}

/** Where a reader stands that keeps its place in a log and acknowledges what it has used: another program, such as a trainer. */
export interface LogPlace {
  reader: string
  /** What the keys that it reads go on from; '' for all. */
  prefix: string
  /** Everything that it reads is acknowledged up to this sequence; 0: nothing yet. Servers may count on to the next that is held. */
  acknowledged: number
  /** Everything that it reads was given to it up to this sequence. */
  delivered: number
  /** Entries that it was given and has not acknowledged; what was removed is as good as acknowledged. */
  held: number
  /** Entries that it was not given yet. */
  waiting: number
}

/** Entries by key, each written once. */
export interface Log {
  create (key: string, bytes: Uint8Array): Promise<'created' | 'present'>
  get (key: string): Promise<Uint8Array | null>
  /** Makes room for another entry of that key. `sequence`: only where it is the entry of this sequence. */
  remove (key: string, sequence?: number): Promise<void>
  /**
   * Entries whose keys go on from the tokens of `prefix` ('' for all), in order, each once: first those that are there, then
   * `null` (from here on it is news), then those that come, until the signal aborts (which ends the iteration quietly).
   * Waits for a bus that is away, and goes on by itself after a reconnect. `after` leaves out what is there up to this sequence,
   * one that the log has given: servers differ in what they tell after one that is still to come. What is removed before it was
   * told may be left out.
   */
  follow (prefix: string, signal: AbortSignal, after?: number): AsyncIterable<LogEntry | null>
  /** null: no reader of this name keeps its place here. */
  place (reader: string): Promise<LogPlace | null>
  /** Of all readers that keep their places, by name. */
  places (): Promise<LogPlace[]>
}

export interface KeyEntry { key: string; /** null: removed. */ bytes: Uint8Array | null; revision: number }

/** Values by key, each with a revision that grows with every write of the bucket. */
export interface KeyValue {
  get (key: string): Promise<{ bytes: Uint8Array; revision: number } | null>
  /** Whatever is there. Resolves to the revision. */
  put (key: string, bytes: Uint8Array): Promise<number>
  /** Only over `revision`; 0: only where nothing is. Throws BUS_CONFLICT. */
  update (key: string, bytes: Uint8Array, revision: number): Promise<number>
  remove (key: string): Promise<void>
  /**
   * As `Log.follow`, for the latest value of each key, also of `prefix` itself; values may be skipped where a newer one follows.
   * An entry whose time runs out is not told.
   */
  watch (prefix: string, signal: AbortSignal): AsyncIterable<KeyEntry | null>
}

/** Bytes by name, for what is too large for a message. Names are content addresses: what is there is never replaced. */
export interface Objects {
  put (name: string, bytes: Uint8Array): Promise<void>
  get (name: string): Promise<Uint8Array | null>
  remove (name: string): Promise<void>
}

/** `runs`: documents. `episodes`: snapshots. `nodes`: who is there; entries fade after `nodeTtlMs`. `policies`: versions. */
export const buckets = ['runs', 'episodes', 'nodes', 'policies'] as const
export type Bucket = typeof buckets[number]

/** `records`: what was dispatched, and what became of it. `samples`: for the trainer. */
export const logs = ['records', 'samples'] as const
export type LogName = typeof logs[number]

export interface Bus {
  readonly kind: 'memory' | 'nats'
  /** Largest value that `Queue.add`, `Log.create`, `KeyValue` and `signal` take. */
  readonly valueBytesMax: number
  readonly queue: Queue
  readonly log: Record<LogName, Log>
  readonly kv: Record<Bucket, KeyValue>
  readonly objects: Objects
  /** Tells whoever listens now. Not kept, not confirmed; dropped while the bus is away. */
  signal (topic: string, bytes: Uint8Array): void
  /** Signals whose topics go on from the tokens of `prefix`, from now on; it may hear what is just on its way. The oldest are dropped when the reader is slow. */
  signals (prefix: string, signal: AbortSignal): AsyncIterable<{ topic: string; bytes: Uint8Array }>
  /** What calls between services go over (src/bridge/). */
  readonly wire: Wire
  /** Whether the bus answers right now, for readiness. */
  readonly isConnected: boolean
  /** Idempotent. Iterations end; what was taken and not acknowledged is delivered again after `ackWaitMs`. */
  close (): Promise<void>
}
