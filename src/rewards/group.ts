// Advantages of a group of rollouts that had the same task: reward minus the group's mean, without division by the
// standard deviation (the variant of GRPO in Code World Model, arXiv 2510.02387, and Dr. GRPO, arXiv 2503.20783).
// A member without a reward is masked: it has no advantage and moves no mean.

export interface GroupAdvantages {
  /** One for each member, null where it is masked. */
  advantages: (number | null)[]
  /** Null where no member has a reward. */
  mean: number | null
  /** No member differs from the mean, so no sample of the group moves the policy: drop the samples, never the episode. */
  zeroGradient: boolean
}

export function groupAdvantages (rewards: readonly (number | null)[]): GroupAdvantages {
  const scored = rewards.filter(reward => reward !== null)
  if (scored.length === 0) return { advantages: rewards.map(() => null), mean: null, zeroGradient: true }
  const mean = scored.reduce((sum, reward) => sum + reward, 0) / scored.length
  const zeroGradient = scored.every(reward => reward === scored[0])
  // Equal rewards have no advantage at all, whatever the mean was rounded to.
  return { advantages: rewards.map(reward => reward === null ? null : zeroGradient ? 0 : reward - mean), mean, zeroGradient }
}
