// The rows of summary.json against the outcomes: solve rates and mean rewards.

import type { RunOptions } from '../run/options.ts'
import { countAttempts, rewardBreaker, type SettledEpisode } from '../run/settle.ts'
import type { RunSummary } from '../run/summary.ts'
import type { EpisodeFacts } from './facts.ts'
import type { Notes } from './notes.ts'
import { outcomeOf } from './outcome.ts'

export function compareSummary ({ episodes, bugs }: Pick<RunSummary, 'episodes' | 'bugs'>, options: RunOptions, facts: readonly EpisodeFacts[], notes: Notes): void {
  notes.compare({ kind: 'summary', by: 'evidence', work: 'summary.json' }, { episodes }, { episodes: facts.length }, ['episodes'])
  for (const episode of facts) {
    const outcome = outcomeOf(episode)
    if (outcome.ending.kind !== 'played') continue
    for (const bug of outcome.bugs) {
      notes.count('summary')
      const row = rowOf(options, outcome, bug)
      const stored = bugs.find(({ episode: number, order }) => number === episode.number && order === bug.order)
      notes.compare({ kind: 'summary', by: 'evidence', work: `summary.json ${bug.bugId}` }, stored ?? {}, row, Object.keys(row))
    }
  }
}

function rowOf (options: RunOptions, outcome: SettledEpisode, { order, attempts }: SettledEpisode['bugs'][number]): Pick<RunSummary['bugs'][number], 'scored' | 'solved' | 'breakerReward' | 'solverReward'> {
  const { scored, solved } = countAttempts(attempts)
  return { scored, solved, breakerReward: order === 1 ? rewardBreaker(options, outcome) : null, solverReward: scored === 0 ? null : (2 * solved - scored) / scored }
}
