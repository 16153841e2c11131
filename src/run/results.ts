// What finished pieces of work leave in the run folder.

import type { Grade, Outcome } from '../domain.ts'

/** Who played, at which version of its weights. */
export interface PlayedPolicy { name: string; version: string }

/** Of `break`: the rollout's ending, and the bug if it submitted one. */
export interface BreakResult { outcome: Outcome; reason: string; bugId: string | null; policy: PlayedPolicy; turns: number; delivery: number }

/** Of `solve`: the rollout's ending; the patch lies in the bug's folder. `leaks`: where the solver could read the original; left out where nowhere. */
export interface SolveResult { outcome: Outcome; reason: string; submitted: boolean; policy: PlayedPolicy; turns: number; delivery: number; leaks?: readonly string[] }

/** Of `grade`. */
export interface GradeResult { grade: Grade; delivery: number }

/** One line of samples.jsonl: a rollout with its settled reward. */
export interface Sample {
  rollout_id: string
  episode_id: string
  round_id: string
  role: 'breaker' | 'solver'
  group_id: string
  /** Members that the group will have once all are settled; null in samples from before they said so. */
  group_size: number | null
  member_index: number
  bug_id: string | null
  order: number
  parent_bug_id: string | null
  policy: PlayedPolicy
  outcome: Outcome
  reason: string
  solved: boolean | null
  reward: number | null
  reward_components: Record<string, number>
  advantage: number | null
  trajectory: string
}
