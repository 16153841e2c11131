// Samples as they follow from the outcomes: settled again by the run's own code, under its rule for rewards or another one,
// and held against the lines that the run wrote.

import { existsSync } from 'node:fs'
import type { RunOptions } from '../run/options.ts'
import type { BreakResult, Sample, SolveResult } from '../run/results.ts'
import { breakId } from '../run/ids.ts'
import { samplesOf } from '../run/settle.ts'
import { withRoundAdvantages } from '../run/summary.ts'
import type { RunStore } from '../store/run.ts'
import type { EpisodeFacts, ReadRun } from './facts.ts'
import type { Notes } from './notes.ts'
import { isGivenUp, outcomeOf } from './outcome.ts'

/** Every sample of these episodes, in the order of the file. `kept`: those of the run, which alone say who played a rollout that was lost. */
export async function settleAgain (store: RunStore, options: RunOptions, facts: readonly EpisodeFacts[], kept: readonly Sample[]): Promise<Sample[]> {
  const known = new Map(kept.map(sample => [sample.rollout_id, sample]))
  const { policies } = store.file()
  const [breaker, solver] = [{ name: policies.breaker, version: '' }, { name: policies.solver, version: '' }]
  const settled: Sample[] = []
  for (const episode of facts) {
    // Of a former version: what was given up as a whole left no samples.
    if (isGivenUp(episode.settled) && !known.has(breakId(episode.episodeId))) continue
    const samples = await samplesOf({ options, policies: { breaker, solver }, store: {
      result: async <T>(work: string) => (work.endsWith('.verify') ? episode.verdict : store.result(work)) as T | null
    } }, episode.number, outcomeOf(episode))
    settled.push(...samples.map(sample => ({ ...sample, policy: playedBy(store, sample, known) })))
  }
  return withRoundAdvantages(settled)
}

const playedBy = (store: RunStore, { rollout_id: id, policy }: Sample, known: ReadonlyMap<string, Sample>): Sample['policy'] =>
  store.result<BreakResult | SolveResult>(id) === null ? known.get(id)?.policy ?? policy : policy

const sampleFields = [
  'episode_id', 'round_id', 'role', 'group_id', 'member_index', 'bug_id', 'order', 'parent_bug_id', 'policy', 'outcome', 'solved', 'reward', 'reward_components', 'advantage', 'trajectory'
]

/** `unsettled`: episodes that may have samples already. `isSummedUp`: the breakers' advantages have been filled in. */
interface Progress { unsettled: ReadonlySet<string>; isSummedUp: boolean }

/** `lines` as they stand in the file. */
export function compareSamples ({ store, options, notes }: ReadRun, lines: readonly Sample[], recomputed: readonly Sample[], { unsettled, isSummedUp }: Progress): void {
  const byId = new Map<string, Sample[]>()
  for (const line of lines) byId.set(line.rollout_id, [...byId.get(line.rollout_id) ?? [], line])
  const present = new Map<string, number>()
  for (const sample of recomputed) present.set(groupOf(sample), (present.get(groupOf(sample)) ?? 0) + 1)
  for (const sample of recomputed) {
    notes.count('sample')
    const about = { kind: 'sample', by: 'evidence', work: sample.rollout_id } as const
    const stored = byId.get(sample.rollout_id) ?? []
    if (stored.length !== 1) notes.differ({ ...about, field: 'lines', stored: stored.length, recomputed: 1 })
    for (const line of stored) {
      const isOpen = sample.role === 'breaker' && line.advantage === null && !isSummedUp
      notes.compare(about, line, sample, sampleFields.filter(field => !(isOpen && field === 'advantage')))
      compareGroup(line, sample, present.get(groupOf(sample))!, options.group, notes)
    }
    if (isPlayed(sample) && store.result(sample.rollout_id) !== null && !existsSync(store.path(sample.trajectory))) notes.differ({ ...about, field: 'trajectory', stored: null, recomputed: sample.trajectory })
  }
  const expected = new Set(recomputed.map(({ rollout_id: id }) => id))
  for (const [id, orphans] of byId) {
    if (!expected.has(id) && !unsettled.has(orphans[0]!.episode_id)) notes.differ({ kind: 'sample', by: 'evidence', work: id, field: 'lines', stored: orphans.length, recomputed: 0 })
  }
}

const isPlayed = ({ outcome }: Sample): boolean => outcome === 'scored' || outcome === 'policy_fault'

const groupOf = ({ role, group_id: id }: Sample): string => `${role} ${id}`

/** How large a breaker's round is meant to be is known where the run was submitted: its folder may hold a part of it. */
function compareGroup (stored: Sample, recomputed: Sample, present: number, group: number, notes: Notes): void {
  const size = stored.group_size ?? null
  if (size === null) return
  const holds = recomputed.role === 'solver' ? size === present : size >= present && size <= group
  if (!holds) notes.differ({ kind: 'sample', by: 'evidence', work: recomputed.rollout_id, field: 'group_size', stored: size, recomputed: recomputed.group_size })
}
