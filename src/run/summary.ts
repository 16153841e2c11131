// A run summed up from its folder alone: what `spar play --json` prints and `spar show` reads.

import type { Strategy, Verdict } from '../domain.ts'
import type { Ledger } from '../bus/work.ts'
import { groupAdvantages } from '../rewards/index.ts'
import type { RunStore } from '../store/run.ts'
import { writeJson } from '../store/files.ts'
import { drawEpisode, episodeIdOf } from './draw.ts'
import { settleId, verifyId } from './ids.ts'
import type { Sample } from './results.ts'
import { countAttempts, rewardBreaker, type SettledEpisode } from './settle.ts'

export interface BugSummary {
  id: string
  episode: number
  order: number
  parent: string | null
  strategy: Strategy
  files: string[]
  f2p: string[]
  p2p: string[]
  /** Checks that hold, of all. */
  checks: { passed: number; total: number }
  dispatched: number
  scored: number
  solved: number
  /** null for a bug of order 2: its breaker was the first order's. */
  breakerReward: number | null
  /** Mean reward of the scored attempts. */
  solverReward: number | null
}

export interface RunSummary {
  run: string
  out: string
  arena: { id: string; target: string; commit: string; image: string | null; runner: string }
  seed: number
  episodes: number
  bugs: BugSummary[]
  /** Rejected artifacts by the check that failed. */
  rejected: Record<string, number>
  /** Episodes without an artifact, by how the breaker's rollout ended. */
  faults: Record<string, number>
  ledger: Ledger
}

export function summaryOf (store: RunStore): RunSummary {
  const { options, arena } = store.file()
  const summary: RunSummary = {
    run: store.run,
    out: store.dir,
    arena: { id: arena.id, target: arena.target, commit: arena.commit, image: arena.image, runner: arena.runner },
    seed: options.seed,
    episodes: 0,
    bugs: [],
    rejected: {},
    faults: {},
    ledger: store.ledger.totals()
  }
  for (let number = 1; number <= options.episodes; number++) {
    const episode = store.result<SettledEpisode>(settleId(episodeIdOf(number)))
    if (!episode) continue
    summary.episodes++
    const { ending } = episode
    if (ending.kind === 'rejected') summary.rejected[ending.failed] = (summary.rejected[ending.failed] ?? 0) + 1
    else if (ending.kind === 'fault') summary.faults[ending.outcome] = (summary.faults[ending.outcome] ?? 0) + 1
    else summary.bugs.push(...bugsOf(store, number, episode))
  }
  return summary
}

function bugsOf (store: RunStore, number: number, episode: SettledEpisode): BugSummary[] {
  const { options } = store.file()
  const verdict = store.result<Verdict>(verifyId(episode.episodeId))!
  return episode.bugs.map((bug, index) => {
    const counted = countAttempts(bug.attempts)
    return {
      id: bug.bugId,
      episode: number,
      order: bug.order,
      parent: index > 0 ? episode.bugs[index - 1]!.bugId : null,
      strategy: drawEpisode(options, number).strategy,
      files: verdict.files,
      f2p: verdict.f2p,
      p2p: verdict.p2p,
      checks: { passed: verdict.checks.filter(check => check.verdict === 'pass').length, total: verdict.checks.length },
      dispatched: bug.attempts.length,
      ...counted,
      breakerReward: bug.order === 1 ? rewardBreaker(options, episode) : null,
      solverReward: counted.scored === 0 ? null : (2 * counted.solved - counted.scored) / counted.scored
    }
  })
}

/** Ends a run: the breakers' advantages by round go into samples.jsonl, the summary into summary.json. */
export function summariseRun (store: RunStore): RunSummary {
  fillAdvantages(store)
  const summary = summaryOf(store)
  writeJson(store.path('summary.json'), summary)
  return summary
}

const fillAdvantages = (store: RunStore): void => store.samples.replace(withRoundAdvantages(store.samples.all()))

/** Copies in the order of their ids, breakers with their advantages over those of their round that are there. */
export function withRoundAdvantages (settled: readonly Sample[]): Sample[] {
  const samples = settled.map(sample => ({ ...sample }))
  const breakers = samples.filter(sample => sample.role === 'breaker')
  for (const group of new Set(breakers.map(sample => sample.group_id))) {
    const members = breakers.filter(sample => sample.group_id === group)
    const { advantages } = groupAdvantages(members.map(sample => sample.reward))
    members.forEach((sample, index) => { sample.advantage = advantages[index]! })
  }
  return samples.sort((a, b) => a.rollout_id < b.rollout_id ? -1 : 1)
}
