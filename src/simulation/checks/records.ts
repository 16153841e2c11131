// Checks of what a run leaves in its records and samples. Rewards are reckoned here once more from the endings alone, by the formulas of
// the paper and by nobody else's code.

import { upToNow } from '../../bus/now.ts'
import { unpack } from '../../cluster/codec.ts'
import { readRecordKey, sampleKey } from '../../cluster/keys.ts'
import { readEnding, readEndingResult, type Ending } from '../../cluster/records.ts'
import { readSample } from '../../cluster/samples.ts'
import type { Verdict } from '../../domain.ts'
import type { BreakResult, GradeResult, Sample, SolveResult } from '../../run/results.ts'
import type { SettledEpisode } from '../../run/settle.ts'
import { episodeIdOf } from '../../run/draw.ts'
import type { Aftermath, Say } from './types.ts'

export interface Kept {
  /** By id of the work: what stands on the queue's side. */
  endings: Map<string, Ending>
  dispatched: Set<string>
  /** Bugs that failed attempts became, by the id of the work that made them. */
  promoted: Map<string, Ending>
  outcomes: Map<string, SettledEpisode>
  samples: Map<string, Sample>
}

export async function readKept ({ inner, document }: Aftermath): Promise<Kept> {
  const kept: Kept = { endings: new Map(), dispatched: new Set(), promoted: new Map(), outcomes: new Map(), samples: new Map() }
  for await (const { key, bytes } of upToNow(signal => inner.log.records.follow(document.name, signal))) {
    const name = readRecordKey(key)
    if (name?.kind === 'settled') kept.outcomes.set(name.episode, unpack<{ outcome: SettledEpisode }>(bytes, key).outcome)
    else if (name?.entry === 'dispatched') kept.dispatched.add(name.work)
    else if (name?.entry === 'kept') kept.promoted.set(name.work, readEnding(bytes, key))
    else if (name?.entry === 'ended') kept.endings.set(name.work, readEnding(bytes, key))
  }
  for await (const entry of upToNow(signal => inner.log.samples.follow(document.name, signal))) {
    const { sample } = readSample(entry)
    kept.samples.set(sample.rollout_id, sample)
  }
  return kept
}

/** Dispatched = settled + cancelled + quarantined, and nothing else ended. */
export function checkLedger ({ endings, dispatched }: Kept, say: Say): void {
  for (const work of dispatched) if (!endings.has(work)) say('ledger', `${work} was dispatched and has no ending`)
  for (const work of endings.keys()) if (!dispatched.has(work)) say('ledger', `${work} has an ending and was never dispatched`)
}

/** Every episode of a run that is done has an outcome, and every rollout of an outcome its one sample. */
export async function checkEpisodes (aftermath: Aftermath, kept: Kept, say: Say): Promise<void> {
  const { document } = aftermath
  const { options, state } = document
  const expected = new Set<string>()
  if (state === 'done') {
    for (let number = 1; number <= options.episodes; number++) {
      if (!kept.outcomes.has(episodeIdOf(number))) say('settles-once', `${episodeIdOf(number)} has no outcome in a run that is done`)
    }
  }
  for (const outcome of kept.outcomes.values()) {
    if (outcome.bugs.length > options.maxOrder) say('order', `${outcome.episodeId} has bugs of order ${outcome.bugs.length}, maxOrder is ${options.maxOrder}`)
    await checkRewards(aftermath, kept, outcome, expected, say)
  }
  for (const rollout of kept.samples.keys()) if (!expected.has(rollout) && state === 'done') say('samples', `${rollout} has a sample, but no outcome holds it`)
}

async function checkRewards (aftermath: Aftermath, kept: Kept, outcome: SettledEpisode, expected: Set<string>, say: Say): Promise<void> {
  const { options } = aftermath.document
  const id = outcome.episodeId
  const resultOf = async <Result>(work: string): Promise<Result | null> => await readEndingResult<Result>(aftermath.inner, aftermath.retry, kept.endings.get(work) ?? null)

  const solverReward = async (order: number, member: number): Promise<number | null> => {
    const played = await resultOf<SolveResult>(`${id}.solve.${order}.${member}`)
    if (played === null) return null
    if (!played.submitted || played.outcome === 'policy_fault') return played.outcome === 'policy_fault' ? -1 : null
    const graded = await resultOf<GradeResult>(`${id}.grade.${order}.${member}`)
    return graded === null || graded.grade.solved === null ? null : graded.grade.solved ? 1 : -1
  }
  const rewards: (number | null)[][] = []
  for (const [index, bug] of outcome.bugs.entries()) {
    const members: (number | null)[] = []
    // What was cancelled before its attempts has none.
    for (const { member } of bug.attempts) members.push(await solverReward(index + 1, member))
    rewards.push(members)
    if (outcome.ending.kind === 'played' && bug.attempts.length !== options.group) say('samples', `${id} has ${bug.attempts.length} attempts on its bug of order ${index + 1}, the group has ${options.group}`)
  }
  expect(`${id}.break`, await breakerReward())
  outcome.bugs.forEach((bug, index) => bug.attempts.forEach(({ member }, at) => expect(`${id}.solve.${index + 1}.${member}`, rewards[index]![at]!, rewards[index]!)))

  async function breakerReward (): Promise<number | null> {
    const played = await resultOf<BreakResult>(`${id}.break`)
    if (played === null) return null
    if (played.outcome === 'policy_fault' || played.bugId === null) return -1
    const verdict = await resultOf<Verdict>(`${id}.verify`)
    if (verdict === null) return null
    if (!verdict.valid) return -1
    const scored = (rewards[0] ?? []).filter(reward => reward !== null)
    if (scored.length < Math.min(options.minScored, options.group)) return null
    const s = scored.filter(reward => reward === 1).length / scored.length
    return s === 0 || s === 1 ? -options.alpha : 1 - (1 + options.alpha) * s
  }

  function expect (rollout: string, reward: number | null, group: (number | null)[] | null = null): void {
    expected.add(rollout)
    const sample = kept.samples.get(rollout)
    if (sample === undefined) return say('samples', `${rollout} has no sample, though ${id} is settled`)
    const published = aftermath.published.get(sampleKey(aftermath.document.name, rollout))
    if (published !== undefined) return sample.reward === published ? undefined : say('rewards', `${rollout} has the reward ${sample.reward}, and had ${published} before ${id} was played on`)
    if (reward === null ? sample.reward !== null : sample.reward === null || Math.abs(sample.reward - reward) > 1e-9) {
      say(reward === null ? 'infrastructure-scored' : 'rewards', `${rollout} has the reward ${sample.reward}, its evidence gives ${reward}`)
    }
    if (sample.reward === null && sample.advantage !== null) say('infrastructure-scored', `${rollout} has no reward, and the advantage ${sample.advantage}`)
    if (group === null || sample.reward === null) return
    const scored = group.filter(other => other !== null)
    const advantage = sample.reward - scored.reduce((sum, other) => sum + other, 0) / scored.length
    if (sample.advantage === null || Math.abs(sample.advantage - advantage) > 1e-9) say('rewards', `${rollout} has the advantage ${sample.advantage}, its group gives ${advantage}`)
  }
}
