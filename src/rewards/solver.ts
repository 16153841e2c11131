// The solver's reward for one attempt (arXiv 2512.18552): +1 if the bug is repaired, −1 if not. Null for an attempt that
// has no verdict: it is issued again or left out, never scored.

import type { Outcome } from '../domain.ts'

export function solverReward (outcome: Outcome, solved: boolean | null): number | null {
  if (outcome === 'policy_fault') return -1
  if (outcome !== 'scored' || solved === null) return null
  return solved ? 1 : -1
}
