// Settling: rewards of an episode from its outcomes, and its rollouts as samples. The breaker's advantage waits for its
// round and is filled in when the run is summed up. The result of `settle` is the episode's commit point.

import type { Outcome, Verdict } from '../domain.ts'
import { breakerReward, groupAdvantages, solverReward } from '../rewards/index.ts'
import type { EpisodeStore } from '../store/episodes.ts'
import { roundOf, roundSizeOf } from './draw.ts'
import { breakId, gradeId, solveId, verifyId } from './ids.ts'
import type { RunOptions } from './options.ts'
import type { BreakResult, GradeResult, PlayedPolicy, Sample, SolveResult } from './results.ts'

/** Before its results were looked at. */
type BareSample = Omit<Sample, 'policy' | 'integrity'>

interface Attempt { member: number; outcome: Outcome; solved: boolean | null; reason: string }
interface SolvedBug { bugId: string; order: number; attempts: Attempt[] }
export interface SettledEpisode {
  episodeId: string
  ending: { kind: 'played' } | { kind: 'rejected'; failed: string; reason: string } | { kind: 'fault'; outcome: Exclude<Outcome, 'scored'>; reason: string }
  bugs: SolvedBug[]
}

/** `policies`: who was to play, for rollouts that infrastructure took. */
interface Reckoning { store: Pick<EpisodeStore, 'result'>; options: RunOptions; policies: Record<Sample['role'], PlayedPolicy> }
interface Settling extends Reckoning { store: Pick<EpisodeStore, 'result' | 'release' | 'settle'> }

export async function settleEpisode (settling: Settling, number: number, episode: SettledEpisode): Promise<void> {
  await settling.store.settle(episode.episodeId, await samplesOf(settling, number, episode), episode)
}

/** Of an episode that is still played: of these of its bugs, whose groups are complete. Settling writes them again, and the first stay. */
export async function releaseSamples (settling: Settling, number: number, episode: SettledEpisode): Promise<void> {
  await settling.store.release(await samplesOf(settling, number, episode))
}

/** As settling writes them. */
export async function samplesOf ({ store, options, policies }: Reckoning, number: number, episode: SettledEpisode): Promise<Sample[]> {
  const bare = [await breakerSample(store, options, number, episode), ...episode.bugs.flatMap(bug => solverSamples(options, number, episode, bug))]
  return await Promise.all(bare.map(async sample => {
    const played = await store.result<BreakResult | SolveResult>(sample.rollout_id)
    const { name, version } = played?.policy ?? policies[sample.role]
    const graded = sample.role === 'breaker' ? null : await store.result<GradeResult>(gradeId(episode.episodeId, sample.order, sample.member_index))
    return { ...sample, policy: { name, version }, integrity: { findings: [...played?.findings ?? [], ...graded?.grade.findings ?? []] } }
  }))
}

/** Attempts that count for the solve rate, and those that solved the bug. */
export const countAttempts = (attempts: readonly Attempt[]): { scored: number; solved: number } => ({
  scored: attempts.filter(attempt => attempt.solved !== null).length,
  solved: attempts.filter(attempt => attempt.solved === true).length
})

/** The breaker's reward for an episode: −1 for no bug or an invalid one, null where infrastructure kept it from a verdict. */
export function rewardBreaker (options: RunOptions, episode: SettledEpisode): number | null {
  const rule = { alpha: options.alpha, scoredMin: Math.min(options.minScored, options.group) }
  if (episode.ending.kind === 'fault') return episode.ending.outcome === 'policy_fault' ? -1 : null
  const valid = episode.ending.kind === 'played'
  return breakerReward({ valid, ...countAttempts(valid ? episode.bugs[0]!.attempts : []) }, rule)
}

async function breakerSample (store: Reckoning['store'], options: RunOptions, number: number, episode: SettledEpisode): Promise<BareSample> {
  const rolloutId = breakId(episode.episodeId)
  const played = await store.result<BreakResult>(rolloutId)
  const { ending } = episode
  const counted = countAttempts(ending.kind === 'played' ? episode.bugs[0]!.attempts : [])
  const verdict = await store.result<Verdict>(verifyId(episode.episodeId))
  return {
    rollout_id: rolloutId,
    episode_id: episode.episodeId,
    round_id: roundOf(options, number),
    role: 'breaker',
    group_id: roundOf(options, number),
    group_size: roundSizeOf(options, number),
    member_index: number,
    bug_id: played?.bugId ?? null,
    order: 1,
    parent_bug_id: null,
    outcome: ending.kind === 'fault' ? ending.outcome : 'scored',
    reason: ending.kind === 'played' ? '' : ending.reason,
    solved: null,
    reward: rewardBreaker(options, episode),
    reward_components: { valid: verdict ? Number(verdict.valid) : 0, scored: counted.scored, solved: counted.solved, alpha: options.alpha },
    advantage: null,
    trajectory: `trajectories/${rolloutId}.msgpack`
  }
}

function solverSamples (options: RunOptions, number: number, episode: SettledEpisode, bug: SolvedBug): BareSample[] {
  const rewards = bug.attempts.map(attempt => solverReward(attempt.outcome, attempt.solved))
  const { advantages } = groupAdvantages(rewards)
  return bug.attempts.map((attempt, index) => {
    const rolloutId = solveId(episode.episodeId, bug.order, attempt.member)
    return {
      rollout_id: rolloutId,
      episode_id: episode.episodeId,
      round_id: roundOf(options, number),
      role: 'solver',
      group_id: `${episode.episodeId}.${bug.order}`,
      group_size: bug.attempts.length,
      member_index: attempt.member,
      bug_id: bug.bugId,
      order: bug.order,
      parent_bug_id: bug.order > 1 ? episode.bugs[bug.order - 2]!.bugId : null,
      outcome: attempt.outcome,
      reason: attempt.reason,
      solved: attempt.solved,
      reward: rewards[index]!,
      reward_components: {},
      advantage: advantages[index]!,
      trajectory: `trajectories/${rolloutId}.msgpack`
    }
  })
}
