// The limits of a cluster, by name. Each has a test that reaches it.

export const clusterLimits = {
  /** Failures of a piece of work before it is put in quarantine. */
  failuresMax: 4,
  /** Deliveries of a piece of work, whatever became of them (a node that died takes one too), before the same. */
  deliveriesMax: 16,
  /** Pause before failed work is delivered again: doubled with every failure. */
  redeliverMs: 250,
  redeliverMsMax: 30_000,
  /** Of the files of a piece of work, what travels in its record; the rest lies among the objects. */
  inlineBytesMax: 64 * 1024,
  /** Endings that a node keeps at hand, with all that hangs on them. */
  endingsBytesMax: 32 * 2 ** 20,
  /** How long an idle slot waits at its place, when there is one, and when there are several. */
  pullMs: 5_000,
  pullSharedMs: 500,
  /** How often a place that gave nothing is asked in passing. */
  probeMs: 500,
  /** How often a node says that it is there; its entry fades after three of them. */
  heartbeatMs: 2_000,
  /** Time that aborted work has to let go, when a node drains; then the node ends without it. */
  abortMs: 10_000,
  /** A call of the bus that could not be done is tried again, with a pause that doubles up to this. */
  retryMsMin: 100,
  retryMsMax: 5_000,
  /** How long a call of the bus is tried before whoever made it is told. */
  retryForMs: 10 * 60_000,
  /** How long the document of a run may come after its work. */
  knowRunMs: 10_000,
  /** How often an owner puts work on the queue again that it waits for. */
  readdMs: 60_000,
  /** Arenas that a node holds open at a time. */
  arenasMax: 16,
  /** Targets of which a node remembers what it opened, or why it could not; of the oldest it forgets it. */
  targetsKnownMax: 256,
  /** Before an arena that could not be opened here is tried again. */
  arenaRetryMs: 60_000,
  /** Children of one machine, at most: they cost more the more there are. */
  slotsMax: 100,
  /** Episodes of a run at a time, children of its machine: with 1,000 one costs its leader 2.5 ms, with 100 it costs 0.2. */
  inFlightMax: 1_000,
  documentBytesMax: 256 * 1024,
  /** Bytes of samples that a run's trainer may have before it, where its document does not say how many. */
  aheadBytesMax: 256 * 2 ** 20,
  /** How often it is looked what the trainer has acknowledged. */
  trainerLookMs: 1_000
}

/** What a node does at a time, by kind of slot. */
export const slotDefaults = { start: 2, run: 8, verify: 2, grade: 2, own: 16 }
export type Slots = typeof slotDefaults
