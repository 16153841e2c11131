// How a run goes on: rates and rewards in the order in which episodes settled, what was dropped and why, and how hard its bugs are
// against what the breaker's reward asks for.

import { peakSolveRate, solveRate } from '../../rewards/index.ts'
import { numberOfWork } from '../../run/draw.ts'
import type { Sample } from '../../run/results.ts'
import { countAttempts, rewardBreaker, type SettledEpisode } from '../../run/settle.ts'
import { inspectLimits } from '../limits.ts'
import type { TrainingPoint, TrainingView } from '../protocol.ts'
import type { RunReader } from '../records/types.ts'

const bins = 10
const curvePoints = 51

interface Row { episode: SettledEpisode; at: number | null; samples: Sample[]; reward: number | null; rate: number | null }

export async function trainingView (reader: RunReader): Promise<TrainingView> {
  const { options } = reader.info()
  const byEpisode = new Map<string, Sample[]>()
  for (const sample of await reader.samples()) byEpisode.set(sample.episode_id, [...byEpisode.get(sample.episode_id) ?? [], sample])
  const rows = [...reader.settled()].map(([id, episode]): Row => {
    const counted = countAttempts(episode.ending.kind === 'played' ? episode.bugs[0]!.attempts : [])
    return { episode, at: reader.endedAt(id), samples: byEpisode.get(id) ?? [], reward: rewardBreaker(options, episode), rate: counted.scored >= Math.min(options.minScored, options.group) ? solveRate(counted) : null }
  }).sort((one, other) => (one.at ?? 0) - (other.at ?? 0) || numberOfWork(one.episode.episodeId) - numberOfWork(other.episode.episodeId))
  const versions = versionsOf(rows)
  const counts = Array.from({ length: bins }, () => 0)
  for (const { rate } of rows) if (rate !== null) counts[Math.min(bins - 1, Math.floor(rate * bins))]!++
  return {
    run: reader.run, group: options.group, alpha: options.alpha, points: pointsOf(rows, versions),
    histogram: { bins, counts }, optimum: optimumOf(options.group, options.alpha),
    dropped: countBy(rows.flatMap(({ samples }) => samples).map(droppedBy)),
    rejected: countBy(rows.map(({ episode: { ending } }) => ending.kind === 'rejected' ? ending.failed : null)), versions: [...versions.keys()].slice(-100)
  }
}

/** In the order of their first appearance. */
function versionsOf (rows: readonly Row[]): Map<string, number> {
  const versions = new Map<string, number>()
  for (const { samples } of rows) for (const { policy } of samples) if (!versions.has(policy.version)) versions.set(policy.version, versions.size)
  return versions
}

function pointsOf (rows: readonly Row[], versions: ReadonlyMap<string, number>): TrainingPoint[] {
  const size = Math.max(1, Math.ceil(rows.length / inspectLimits.pointsMax))
  const points: TrainingPoint[] = []
  let newest = 0
  for (let from = 0; from < rows.length; from += size) {
    const part = rows.slice(from, from + size)
    const samples = part.flatMap(row => row.samples)
    const ages = samples.map(({ policy }) => {
      const version = versions.get(policy.version)!
      newest = Math.max(newest, version)
      return newest - version
    })
    const decided = part.filter(({ episode: { ending } }) => ending.kind !== 'fault')
    points.push({
      n: from + part.length, episodes: part.length, at: part.at(-1)!.at,
      validity: mean(decided.map(({ episode: { ending } }) => Number(ending.kind === 'played'))),
      solveRate: mean(part.map(({ rate }) => rate)), breakerReward: mean(part.map(({ reward }) => reward)),
      solverReward: mean(samples.filter(({ role }) => role === 'solver').map(({ reward }) => reward)),
      staleness: mean(ages), dropped: countBy(samples.map(droppedBy))
    })
  }
  return points
}

/** Why a rollout has no reward; null: it has one. */
const droppedBy = ({ outcome, reward }: Sample): string | null => reward !== null ? null : outcome === 'scored' ? 'too_few_scored' : outcome

function countBy (names: readonly (string | null)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) if (name !== null) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

function mean (values: readonly (number | null)[]): number | null {
  const known = values.filter(value => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}

/**
 * The breaker's expected reward where each of `group` attempts solves the bug with probability p. With P(k) binomial, the sum of
 * P(k)(1 − (1 + α)k/G) over 0 < k < G, less α(P(0) + P(G)), is 1 − (1 + α)(p + (1 − p)^G): its peak does not depend on α.
 */
export function optimumOf (group: number, alpha: number): TrainingView['optimum'] {
  const curve = Array.from({ length: curvePoints }, (_, index) => {
    const p = index / (curvePoints - 1)
    return { p, reward: 1 - (1 + alpha) * (p + (1 - p) ** group) }
  })
  return { peak: group > 1 ? peakSolveRate(group) : 0, curve }
}
