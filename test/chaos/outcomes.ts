// What a fetched run came to, and what it should have come to by its own evidence: every reward is worked out again from the
// verdicts, grades and endings that lie in the folder, by another way than the run took.

import type { Verdict } from '../../src/domain.ts'
import { breakerReward, solverReward } from '../../src/rewards/index.ts'
import { episodeIdOf } from '../../src/run/draw.ts'
import { breakId, gradeId, settleId, solveId, verifyId } from '../../src/run/ids.ts'
import type { BreakResult, GradeResult, Sample, SolveResult } from '../../src/run/results.ts'
import type { SettledEpisode } from '../../src/run/settle.ts'
import { openRunStore, type RunStore } from '../../src/store/run.ts'

/** What has to be the same whenever the same run is played: ids, outcomes and rewards; no texts, no places. */
export interface EpisodeEssence { ending: string; bugs: { bugId: string; order: number; attempts: string[] }[]; rewards: Record<string, number | null> }

export function essenceOf (dir: string): Map<string, EpisodeEssence> {
  const store = openRunStore(dir)
  const samples = store.samples.all()
  return new Map(episodesOf(store).map(episode => [episode.episodeId, {
    ending: endingOf(episode),
    bugs: episode.bugs.map(({ bugId, order, attempts }) => ({ bugId, order, attempts: attempts.map(({ member, outcome, solved }) => `${member} ${outcome} ${solved}`) })),
    rewards: Object.fromEntries(samples.filter(sample => sample.episode_id === episode.episodeId).map(({ rollout_id: id, reward }) => [id, reward]))
  }]))
}

export function episodesOf (store: RunStore): SettledEpisode[] {
  const { options } = store.file()
  return Array.from({ length: options.episodes }, (_, index) => store.result<SettledEpisode>(settleId(episodeIdOf(index + 1)))).filter(episode => episode !== null)
}

const endingOf = ({ ending }: SettledEpisode): string => ending.kind === 'played' ? 'played' : ending.kind === 'rejected' ? `rejected ${ending.failed}` : `fault ${ending.outcome}`

/** Rollouts that a settled episode has: each is one sample. */
export const rolloutsOf = ({ episodeId, bugs }: SettledEpisode): string[] => [breakId(episodeId), ...bugs.flatMap(({ order, attempts }) => attempts.map(({ member }) => solveId(episodeId, order, member)))]

/** Samples whose reward is not what the evidence gives, each as a line. */
export function wrongRewards (dir: string): { checked: number; wrong: string[] } {
  const store = openRunStore(dir)
  const samples = store.samples.all()
  const wrong = samples.flatMap(sample => {
    const expected = sample.role === 'solver' ? solverByEvidence(store, sample) : breakerByEvidence(store, sample)
    return Object.is(expected, sample.reward) ? [] : [`${sample.rollout_id} has ${sample.reward}, its evidence gives ${expected}`]
  })
  return { checked: samples.length, wrong }
}

const memberOf = ({ rollout_id: id }: Sample): { order: number; member: number } => {
  const [order, member] = id.split('.').slice(2).map(Number)
  return { order: order!, member: member! }
}

function solverByEvidence (store: RunStore, sample: Sample): number | null {
  const played = store.result<SolveResult>(sample.rollout_id)
  if (played === null || (played.outcome !== 'scored' && played.outcome !== 'policy_fault')) return null
  if (!played.submitted) return solverReward(played.outcome, false)
  const { order, member } = memberOf(sample)
  const graded = store.result<GradeResult>(gradeId(sample.episode_id, order, member))
  return graded === null ? null : solverReward('scored', graded.grade.solved)
}

function breakerByEvidence (store: RunStore, { episode_id: episode, rollout_id: id }: Sample): number | null {
  const { options } = store.file()
  const played = store.result<BreakResult>(id)
  if (played === null) return null
  if (played.outcome === 'policy_fault' || (played.outcome === 'scored' && played.bugId === null)) return -1
  const verdict = store.result<Verdict>(verifyId(episode))
  if (verdict === null) return null
  const verdicts = Array.from({ length: options.group }, (_, member) => attemptByEvidence(store, episode, member)).filter(solved => solved !== null)
  return breakerReward({ valid: verdict.valid, scored: verdicts.length, solved: verdicts.filter(solved => solved).length }, { alpha: options.alpha, scoredMin: Math.min(options.minScored, options.group) })
}

/** Whether a member of the first-order group repaired the bug; null where nobody can say. */
function attemptByEvidence (store: RunStore, episode: string, member: number): boolean | null {
  const played = store.result<SolveResult>(solveId(episode, 1, member))
  if (played === null) return null
  if (!played.submitted) return played.outcome === 'policy_fault' ? false : null
  return store.result<GradeResult>(gradeId(episode, 1, member))?.grade.solved ?? null
}
