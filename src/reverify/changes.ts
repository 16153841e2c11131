// What a new rule, or new verdicts and grades, make of the rewards of a run. Pure.

import type { Sample } from '../run/results.ts'
import { isSame } from './notes.ts'

/** What became of the rewards of a role. Means are over samples with a reward, null where there are none. */
export interface Changed { samples: number; rewards: number; advantages: number; meanBefore: number | null; meanAfter: number | null }

export function changesOf (role: Sample['role'], before: readonly Sample[], after: readonly Sample[]): Changed {
  const [old, now] = [before, after].map(samples => new Map(samples.filter(sample => sample.role === role).map(sample => [sample.rollout_id, sample]))) as [Map<string, Sample>, Map<string, Sample>]
  const ids = [...new Set([...old.keys(), ...now.keys()])]
  const differing = (field: 'reward' | 'advantage'): number => ids.filter(id => !isSame(old.get(id)?.[field] ?? null, now.get(id)?.[field] ?? null)).length
  return { samples: now.size, rewards: differing('reward'), advantages: differing('advantage'), meanBefore: meanReward(old), meanAfter: meanReward(now) }
}

function meanReward (samples: ReadonlyMap<string, Sample>): number | null {
  const rewards = [...samples.values()].flatMap(({ reward }) => reward ?? [])
  return rewards.length === 0 ? null : rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length
}
