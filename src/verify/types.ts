// Types that the parts of verification share. What the machine sees of a stage is JSON.

import type { Arena, Bug, BugParams, Check, InverseMode, TestMap } from '../domain.ts'
import type { Clock, ExecResult, Sandboxes } from '../ports.ts'
import type { Metrics } from '../metrics/types.ts'
import type { CleanRunCache } from './clean-runs.ts'
import type { Controls } from './control.ts'
import type { Limiter } from '../limiter.ts'
import type { ReadLog } from '../workers/logs.ts'
import type { Survey } from '../workers/surveys.ts'
import type { VerifyLimits } from './limits.ts'
import type { Opinion } from './opinion.ts'

export interface VerifyRequest {
  bug: Bug
  arena: Arena
  params: BugParams
  mode: InverseMode
  /** For the labels of sandboxes. */
  run: string
  /** Runs of the clean and of the buggy tree each; at least 1. */
  repeats?: number
  limits?: Partial<VerifyLimits>
}

export interface VerifyPorts {
  sandboxes: Pick<Sandboxes, 'open'>
  /** Shared by everything on this machine that runs tests. */
  cores: Limiter
  cleanRuns: CleanRunCache
  controls: Controls
  readLog: ReadLog
  survey: Survey
  clock: Clock
  metrics?: Metrics | undefined
}

/** What is run on a tree, and how its log is read: all of it written by a model. */
export interface Suite { script: Uint8Array; parser: Uint8Array; parserName: string }

export interface NamedPatch { name: string; bytes: Uint8Array }

/** Why a run has no results. Each is the artifact's fault: faults of ours are thrown. */
export type RunFault =
  /** A patch does not apply. */
  | { by: 'patch'; patch: string; reason: string }
  /** The script hung, flooded or ate the memory. */
  | { by: 'script'; reason: string }
  /** The parser printed something else than one object with the two words, or not the same twice. */
  | { by: 'parser'; reason: string }
  /** The parser found no test. `log` is its end: compare.ts tells a broken build from a parser that cannot read. */
  | { by: 'silence'; reason: string; log: string }

/** One run of the suite on one tree. */
export interface TreeRun {
  command: string
  exitCode: number | null
  killed: ExecResult['killed']
  durationMs: number
  logBytes: number
  logSha256: string
  results: TestMap | null
  /** Tests that our reader saw skipped; none where there is no reader, or the script does not tell. */
  skipped: string[]
  fault: RunFault | null
  /** What our reader makes of the same log; null where there is none, or where it alone was asked. */
  opinion: Opinion | null
}

export const stageNames = ['static', 'clean', 'buggy', 'weakened', 'inverse', 'determinism'] as const
export type StageName = typeof stageNames[number]

export interface Findings { mode: InverseMode | null; files: string[]; f2p: string[]; p2p: string[]; quarantined: string[] }

/** What one stage found. A check that is reported again replaces the earlier report. */
export interface StageReport { checks: Check[]; findings: Partial<Findings> }

/** How a verification ended; the machine's output. */
export type VerificationOutcome = { checks: Check[]; findings: Partial<Findings> } & (
  | { kind: 'decided' }
  | { kind: 'undecided'; stage: StageName; code: string; reason: string }
  | { kind: 'cancelled' }
)
