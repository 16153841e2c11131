// Follows a run from its folder alone: artifacts from their files, verdicts and grades from their evidence, outcomes from
// these, rewards and samples from the outcomes. What is recomputed at one step is what the next one starts from, so that one
// thing that was changed is named once.

import { existsSync } from 'node:fs'
import { episodeIdOf } from '../run/draw.ts'
import { breakId } from '../run/ids.ts'
import { runDefaults, type RunOptions } from '../run/options.ts'
import type { Sample } from '../run/results.ts'
import type { RunSummary } from '../run/summary.ts'
import { resultPath } from '../store/episodes.ts'
import { openJsonLog, readJson } from '../store/files.ts'
import type { RunStore } from '../store/run.ts'
import { checkArtifacts } from './artifacts.ts'
import { readEpisode, type EpisodeFacts, type ReadRun } from './facts.ts'
import { createNotes } from './notes.ts'
import { compareOutcomes, outcomeOf } from './outcome.ts'
import { compareSamples, settleAgain } from './samples.ts'
import { compareSummary } from './summary.ts'

export { changesOf, type Changed } from './changes.ts'
export { kinds, type Difference, type Notes } from './notes.ts'
export { drawWorks, runAgain, worksOf, type Rerun } from './rerun.ts'
export { settleAgain } from './samples.ts'

export interface Followed extends ReadRun {
  facts: EpisodeFacts[]
  /** Episodes that have begun and not settled: nothing is said of them. */
  unsettled: string[]
  /** As the run wrote them. */
  samples: Sample[]
}

export async function followRun (store: RunStore): Promise<Followed> {
  const options: RunOptions = { ...runDefaults, ...store.file().options }
  const run: ReadRun = { store, options, notes: createNotes() }
  // In the order in which a run that still goes on cannot belie itself: samples are there before their episode settles.
  const summary = readJson<RunSummary>(store.path('summary.json'))
  await checkArtifacts(store, run.notes)
  const facts: EpisodeFacts[] = []
  const open: string[] = []
  for (let number = 1; number <= options.episodes; number++) {
    const episode = await readEpisode(run, number)
    if (episode !== null) {
      facts.push(episode)
      compareOutcomes(episode, outcomeOf(episode), options.group, run.notes)
    } else open.push(episodeIdOf(number))
  }
  const samples = openJsonLog<Sample>(store.path('samples.jsonl'), false).lines
  compareSamples(run, samples, await settleAgain(store, options, facts, samples), { unsettled: new Set(open), isSummedUp: summary !== null })
  if (summary !== null) compareSummary(summary, options, facts, run.notes)
  const begun = new Set(samples.map(({ episode_id: id }) => id))
  const unsettled = open.filter(id => begun.has(id) || existsSync(store.path(resultPath(breakId(id)))))
  return { ...run, facts, unsettled, samples }
}
