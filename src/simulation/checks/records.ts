// Checks of what a run leaves in its records and samples. Rewards are reckoned here once more from the endings alone, by the formulas of
// the paper and by nobody else's code.

import { upToNow } from '../../bus/now.ts'
import { unpack } from '../../cluster/codec.ts'
import { readRecordKey } from '../../cluster/keys.ts'
import { createOutcomes } from '../../cluster/outcomes.ts'
import { readEnding, readEndingResult, type Ending } from '../../cluster/records.ts'
import { keepSample, readSample } from '../../cluster/samples.ts'
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
  outcomes: ReadonlyMap<string, SettledEpisode>
  samples: Map<string, Sample>
}

export async function readKept ({ inner, document }: Aftermath): Promise<Kept> {
  const outcomes = createOutcomes(({ key, bytes }) => unpack<{ outcome: SettledEpisode }>(bytes, key).outcome)
  const kept: Kept = { endings: new Map(), dispatched: new Set(), promoted: new Map(), outcomes: outcomes.values, samples: new Map() }
  for await (const entry of upToNow(signal => inner.log.records.follow(document.name, signal))) {
    const { key, bytes } = entry
    const name = readRecordKey(key)
    if (name?.kind !== 'work') outcomes.enter(entry)
    else if (name.entry === 'dispatched') kept.dispatched.add(name.work)
    else if (name.entry === 'kept') kept.promoted.set(name.work, readEnding(bytes, key))
    else if (name.entry === 'ended') kept.endings.set(name.work, readEnding(bytes, key))
  }
  for await (const entry of upToNow(signal => inner.log.samples.follow(document.name, signal))) keepSample(kept.samples, readSample(entry).sample)
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

/** Of a rollout. */
interface Due { reward: number | null; advantage: number | null }

/**
 * The rewards of an outcome. Where work was put back, some may have been published before: as if some of that work had no ending. The
 * outcome itself is of all of it.
 */
async function checkRewards (aftermath: Aftermath, kept: Kept, outcome: SettledEpisode, expected: Set<string>, say: Say): Promise<void> {
  const { document: { name, options }, putBack } = aftermath
  const id = outcome.episodeId
  const isBack = (...works: string[]): boolean => works.some(work => putBack.get(`${name}.${id}`)?.has(work) === true)
  const resultOf = async <Result>(work: string): Promise<Result | null> => await readEndingResult<Result>(aftermath.inner, aftermath.retry, kept.endings.get(work) ?? null)

  const solverReward = async (order: number, member: number): Promise<number | null> => {
    const played = await resultOf<SolveResult>(`${id}.solve.${order}.${member}`)
    if (played === null) return null
    if (!played.submitted || played.outcome === 'policy_fault') return played.outcome === 'policy_fault' ? -1 : null
    const graded = await resultOf<GradeResult>(`${id}.grade.${order}.${member}`)
    return graded === null || graded.grade.solved === null ? null : graded.grade.solved ? 1 : -1
  }
  /** Of what is sure, the first; then as it was seen without some of the work that was put back. */
  let firstGroups: (number | null)[][] = [[]]
  for (const [index, { attempts }] of outcome.bugs.entries()) {
    const order = index + 1
    if (outcome.ending.kind === 'played' && attempts.length !== options.group) say('samples', `${id} has ${attempts.length} attempts on its bug of order ${order}, the group has ${options.group}`)
    const rewards: (number | null)[] = []
    // What was cancelled before its attempts has none.
    for (const { member } of attempts) rewards.push(await solverReward(order, member))
    const groups = seenBefore(rewards, attempts.map(({ member }) => isBack(`${id}.solve.${order}.${member}`, `${id}.grade.${order}.${member}`)))
    if (index === 0) firstGroups = groups
    for (const [at, { member, solved }] of attempts.entries()) {
      const rollout = `${id}.solve.${order}.${member}`
      const reward = rewards[at]!
      if (solved !== (reward === null ? null : reward === 1)) say('truth', `${rollout} is ${String(solved)} in the outcome of ${id}, its evidence gives ${String(reward)}`)
      expect(rollout, groups.map(group => ({ reward: group[at]!, advantage: advantageOf(group, at) })))
    }
  }
  const breaker = await breakerRewards(firstGroups)
  expect(`${id}.break`, breaker.map(reward => ({ reward, advantage: null })))

  async function breakerRewards (groups: (number | null)[][]): Promise<(number | null)[]> {
    const played = await resultOf<BreakResult>(`${id}.break`)
    if (played === null) return [null]
    if (played.outcome === 'policy_fault' || played.bugId === null) return [-1]
    const verdict = await resultOf<Verdict>(`${id}.verify`)
    if (verdict === null) return [null]
    if (!verdict.valid) return [-1]
    return groups.map(group => {
      const scored = group.filter(reward => reward !== null)
      if (scored.length < Math.min(options.minScored, options.group)) return null
      const s = scored.filter(reward => reward === 1).length / scored.length
      return s === 0 || s === 1 ? -options.alpha : 1 - (1 + options.alpha) * s
    })
  }

  function expect (rollout: string, [now, ...before]: Due[]): void {
    expected.add(rollout)
    const sample = kept.samples.get(rollout)
    if (sample === undefined) return say('samples', `${rollout} has no sample, though ${id} is settled`)
    if (sample.reward === null && sample.advantage !== null) say('infrastructure-scored', `${rollout} has no reward, and the advantage ${sample.advantage}`)
    // One without a reward is followed by one that has it, whatever was published before.
    const fits = [now!, ...before.filter(({ reward }) => reward !== null)].filter(({ reward }) => isNear(sample.reward, reward))
    if (fits.length === 0) return say(now!.reward === null ? 'infrastructure-scored' : 'rewards', `${rollout} has the reward ${sample.reward}, its evidence gives ${now!.reward}`)
    // A breaker's waits for its round.
    if (sample.role === 'solver' && !fits.some(({ advantage }) => isNear(sample.advantage, advantage))) say('rewards', `${rollout} has the advantage ${sample.advantage}, its group gives ${now!.advantage}`)
  }
}

const isNear = (one: number | null, other: number | null): boolean => one === null || other === null ? one === other : Math.abs(one - other) <= 1e-9

function advantageOf (group: readonly (number | null)[], at: number): number | null {
  const scored = group.filter(reward => reward !== null)
  return group[at] === null ? null : group[at]! - scored.reduce((sum, reward) => sum + reward, 0) / scored.length
}

/** The rewards of a group, and as they are with every choice of those that may be missing left out. */
function seenBefore (rewards: readonly (number | null)[], mayMiss: readonly boolean[]): (number | null)[][] {
  const places = rewards.flatMap((reward, at) => mayMiss[at] === true && reward !== null ? [at] : [])
  return Array.from({ length: 2 ** places.length }, (_, choice) => rewards.map((reward, at) => places.includes(at) && (choice >> places.indexOf(at)) % 2 === 1 ? null : reward))
}
