// The breaker's reward for one bug, from "Toward Training Superintelligent Software Agents through Self-Play SWE-RL"
// (arXiv 2512.18552), section on the reward: with s the share of attempts that solve the bug and α in [0, 1],
//
//   r = −1             the artifact is invalid
//   r = −α             s = 0 or s = 1
//   r = 1 − (1 + α)s   otherwise
//
// s is taken over scored attempts only. Null is no reward: too few attempts were scored, or validity is not decided.

export const breakerRewardDefaults = { alpha: 0.8, scoredMin: 2 }

export interface BugResult {
  /** Null: verification could not decide. */
  valid: boolean | null
  /** Attempts of the first-order group with a verdict, and how many of these solved the bug. */
  scored: number
  solved: number
}

export interface BreakerRewardOptions {
  alpha: number
  /** Fewer scored attempts than this say nothing about the solve rate. */
  scoredMin: number
}

export function breakerReward (bug: BugResult, { alpha, scoredMin }: BreakerRewardOptions = breakerRewardDefaults): number | null {
  if (bug.valid === null) return null
  if (!bug.valid) return -1
  const rate = solveRate(bug)
  if (rate === null || bug.scored < scoredMin) return null
  return rate === 0 || rate === 1 ? -alpha : 1 - (1 + alpha) * rate
}

/** s: solved over scored attempts, or null where none was scored. */
export function solveRate ({ scored, solved }: Pick<BugResult, 'scored' | 'solved'>): number | null {
  if (solved > scored || solved < 0) throw new RangeError(`Cannot take a solve rate: ${solved} solved of ${scored} scored`)
  return scored === 0 ? null : solved / scored
}

/** Solve probability at which the breaker's expected reward peaks for groups of G: p* = 1 − G^(−1/(G−1)), whatever α is. */
export const peakSolveRate = (group: number): number => 1 - group ** (-1 / (group - 1))
