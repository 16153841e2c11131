// The part of protocol.ts about what is kept: episodes, rollouts, tokens, training. Its rules hold here too.

import type { Failure, Text } from './protocol.ts'

// ---- episodes ---------------------------------------------------------------------------------------------------------------

export interface EpisodesView { rows: EpisodeRow[]; leftOut: number }
export interface EpisodesChange { rows: EpisodeRow[]; leftOut: number }

export interface EpisodeRow {
  run: string
  /** `e0001`; `number` counts from 1. */
  episode: string
  number: number
  strategy: string
  /** `waiting`, then the states of the machine `episode`, then `done`. */
  state: string
  /** null while it is played. */
  ending: EpisodeEnding | null
  bugs: { bug: string; order: number; group: number; scored: number; solved: number }[]
  breakerReward: number | null
  /** Who owns it, where that is known. */
  node: string | null
}

/** `failed`: the check that rejected the bug; `outcome`: how the breaker's rollout ended instead. */
export interface EpisodeEnding { kind: 'played' | 'rejected' | 'fault'; failed: string | null; outcome: string | null; reason: string }

export interface EpisodeView extends EpisodeRow {
  params: { minPassing: number; minFiles: number; minFailing: number }
  seed: number
  round: string
  arena: { id: string; target: string; commit: string; runner: string } | null
  breaker: RolloutRow | null
  /** By order: the first, then the second. An artifact that was rejected is the only one. */
  lineage: BugView[]
  reward: BreakerReward
  /** Of the artifact; null: not verified (yet). */
  verdict: VerdictView | null
}

export interface BugView {
  bug: string
  order: number
  parent: string | null
  /** The failed attempt that it was made of; null for the first order. */
  madeOf: string | null
  files: FileView[]
  attempts: AttemptView[]
}

/** `kind` says how it is shown. `name` as in the bug's folder: `bug_inject.diff`. */
export interface FileView { name: string; kind: 'diff' | 'script' | 'list'; content: Text }

export interface AttemptView {
  rollout: RolloutRow
  member: number
  solved: boolean | null
  /** null: none was submitted. */
  patch: Text | null
  /** `missing`: expected tests without a result. */
  grade: { outcome: string; reason: string; missing: string[]; failing: string[]; evidence: Text } | null
}

export interface RolloutRow {
  rollout: string
  role: 'breaker' | 'solver'
  /** `scored`, `policy_fault`, `infra_fault`, `cancelled`, `stale`; `playing` while it has none. */
  outcome: string
  reason: string
  reward: number | null
  advantage: number | null
  policy: { name: string; version: string } | null
  turns: number | null
  delivery: number | null
  /** Whether there is a record of it (topic `rollout`). */
  hasRecord: boolean
}

/** How the breaker's reward came about: −1 invalid, −α for s = 0 or 1, else 1 − (1 + α)s. */
export interface BreakerReward { reward: number | null; valid: boolean | null; scored: number; solved: number; alpha: number; scoredMin: number; why: string }

export interface VerdictView {
  decided: boolean
  valid: boolean
  failed: string | null
  mode: 'strict' | 'group' | null
  checks: { name: string; verdict: 'pass' | 'fail' | 'skip' | 'error'; reason: string; evidence: Text }[]
  /** Code files that the bug changes; tests that it breaks; tests that still pass; tests left out as flaky. At most `namesMax` each. */
  files: string[]
  f2p: string[]
  p2p: string[]
  quarantined: string[]
  counts: { files: number; f2p: number; p2p: number; quarantined: number }
  /** What came of restoring files of the bug: tests that pass again. `idle` files repaired nothing. null: not reached. */
  inverse: { restored: { files: string[]; flips: string[] }[]; idle: string[] } | null
}

// ---- rollouts ---------------------------------------------------------------------------------------------------------------

export interface RolloutView {
  run: string
  episode: string
  row: RolloutRow
  /** It is still played: what is here grows. */
  isLive: boolean
  bug: string | null
  order: number
  budget: { turns: { used: number; max: number | null }; tokens: { used: number | null; max: number | null } }
  startedAt: number | null
  endedAt: number | null
  sandbox: { id: string; kind: string; isolation: string } | null
  versions: { start: string; end: string }
  /** Why there is nothing to train on; null: there is. */
  untrainable: string | null
  page: number
  pages: number
  turnsTotal: number
  turns: TurnView[]
  calls: CallView[]
  segments: SegmentRow[]
  findings: string[]
}

export interface TurnView {
  /** From 1. */
  n: number
  said: Text
  call: { tool: string; /** A command, or what there is to show. */ shown: Text; /** Of `edit`, `create`; null for others. */ path: string | null } | null
  observation: Text | null
  exitCode: number | null
  timedOut: boolean
  truncatedBytes: number
  ms: number | null
}

/** One call of a model. */
export interface CallView {
  n: number
  id: string
  model: string
  version: string
  endpoint: string
  promptTokens: number | null
  completionTokens: number | null
  cachedTokens: number | null
  finishReason: string | null
  ms: number
  segment: number | null
  temperature: number | null
  error: Failure | null
}

/** A run of tokens; `drawn` of them are the policy's. `logprob`: mean over these. */
export interface SegmentRow { n: number; tokens: number; drawn: number; logprob: number | null; versions: { version: string; tokens: number }[]; breakReason: string | null }

/** Tokens `from` … of one segment, column by column. Their texts are not known: ids are what the server said. */
export interface TokensView {
  segment: number
  page: number
  pages: number
  from: number
  total: number
  ids: number[]
  /** 1 drawn by the policy, 0 given to it. */
  mask: number[]
  /** 0 where the mask is 0; null: the server gave none. */
  logprobs: number[] | null
  /** Of the whole segment: which weights drew which tokens. */
  versions: { version: string; from: number; tokens: number }[]
}

// ---- training ---------------------------------------------------------------------------------------------------------------

export interface TrainingView {
  run: string
  group: number
  alpha: number
  /** In the order in which episodes settled; each stands for `episodes` of them. */
  points: TrainingPoint[]
  /** Bugs of the first order with enough scored attempts, by solve rate: bin i holds i / bins … (i + 1) / bins, the last one also 1. */
  histogram: { bins: number; counts: number[] }
  /** The theory: at which solve rate the breaker's expected reward is highest, and that reward by the probability p of solving. */
  optimum: { peak: number; curve: { p: number; reward: number }[] }
  /** Rollouts that carry no reward, by cause. */
  dropped: Record<string, number>
  /** Rejected artifacts by the check that failed. */
  rejected: Record<string, number>
  versions: string[]
}

/** Means over what has a value; null: nothing has. */
export interface TrainingPoint {
  /** Number of settled episodes up to here. */
  n: number
  episodes: number
  at: number | null
  /** Share of artifacts that were valid. */
  validity: number | null
  solveRate: number | null
  breakerReward: number | null
  solverReward: number | null
  /** Versions between the weights that played and the newest known by then. */
  staleness: number | null
  /** By cause, here. */
  dropped: Record<string, number>
}
