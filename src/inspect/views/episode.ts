// One episode: its bugs from first to second order, what verification said, the attempts on each, and how the rewards came about.

import { namedFiles } from '../../artifact/index.ts'
import type { Verdict } from '../../domain.ts'
import { drawEpisode, episodeIdOf, numberOfWork, roundOf } from '../../run/draw.ts'
import { breakId, gradeId, solveId, verifyId } from '../../run/ids.ts'
import type { RunOptions } from '../../run/options.ts'
import type { BreakResult, GradeResult, Sample, SolveResult } from '../../run/results.ts'
import { countAttempts, rewardBreaker, type SettledEpisode } from '../../run/settle.ts'
import { notFound } from '../failure.ts'
import { inspectLimits } from '../limits.ts'
import type { AttemptView, BreakerReward, BugView, EpisodeEnding, EpisodeRow, EpisodeView, FileView, RolloutRow } from '../protocol.ts'
import type { KeptEpisode, RunReader } from '../records/types.ts'
import { cutFile, cutJson } from '../text.ts'
import { verdictView } from './verdict.ts'

/** What actors say of the episodes of a run that are played, by id: the state, and on which node. */
export type LiveEpisodes = ReadonlyMap<string, { state: string; node: string }>

const { textBytesMax, namesShownMax } = inspectLimits

/** Rows of what has begun, last first, at most so many; and how many there are beyond. */
export async function episodeRows (reader: RunReader, live: LiveEpisodes, most = inspectLimits.episodesMax): Promise<{ rows: EpisodeRow[]; leftOut: number }> {
  const { options } = reader.info()
  const settled = reader.settled()
  const numbers = [...settled.keys()].map(numberOfWork)
  const last = Math.max(0, ...numbers)
  // Those in flight lie between the settled ones, or within a few behind them.
  const begun = Array.from({ length: Math.min(options.episodes, last + 100) }, (_, index) => index + 1)
    .filter(number => number <= last || live.has(episodeIdOf(number)))
  const shown = begun.slice(-most)
  const rows: EpisodeRow[] = []
  for (const number of shown) rows.push(rowOf(reader, number, settled.get(episodeIdOf(number)) ?? await reader.kept(episodeIdOf(number)), live))
  return { rows, leftOut: begun.length - shown.length }
}

function rowOf (reader: RunReader, number: number, episode: SettledEpisode | KeptEpisode | null, live: LiveEpisodes): EpisodeRow {
  const { options } = reader.info()
  const id = episodeIdOf(number)
  const settled = reader.settled().get(id) ?? null
  const now = settled === null ? live.get(id) : undefined
  return {
    run: reader.run, episode: id, number, strategy: drawEpisode(options, number).strategy,
    state: settled !== null ? 'done' : now?.state ?? (episode as KeptEpisode | null)?.state ?? 'waiting',
    ending: settled === null ? null : endingOf(settled.ending),
    bugs: (episode?.bugs ?? []).map(({ bugId, order, attempts }) => ({ bug: bugId, order, group: options.group, ...countAttempts(attempts) })),
    breakerReward: settled === null ? null : rewardBreaker(options, settled),
    node: now?.node ?? null
  }
}

const endingOf = (ending: SettledEpisode['ending']): EpisodeEnding =>
  ({ kind: ending.kind, failed: ending.kind === 'rejected' ? ending.failed : null, outcome: ending.kind === 'fault' ? ending.outcome : null, reason: ending.kind === 'played' ? '' : ending.reason })

/** Throws INSPECT_NOT_FOUND. */
export async function episodeView (reader: RunReader, id: string, live: LiveEpisodes): Promise<EpisodeView> {
  if (!/^e\d{4,9}$/.test(id)) throw notFound(`the episode ${id} of ${reader.run}`)
  const { options, arenas } = reader.info()
  const number = numberOfWork(id)
  const draw = drawEpisode(options, number)
  const settled = reader.settled().get(id) ?? null
  const kept = settled ?? await reader.kept(id)
  if (number < 1 || number > options.episodes || (kept === null && !live.has(id))) throw notFound(`the episode ${id} of ${reader.run}`)
  const samples = new Map((await reader.samples()).filter(sample => sample.episode_id === id).map(sample => [sample.rollout_id, sample]))
  const verdict = await reader.result<Verdict>(verifyId(id))
  const arena = arenas[draw.arena]
  return {
    ...rowOf(reader, number, kept, live),
    params: draw.params, seed: draw.seed, round: roundOf(options, number), arena: arena ?? null,
    breaker: await rolloutRow(reader, breakId(id), samples),
    lineage: await lineageOf(reader, id, kept, verdict, samples),
    reward: rewardOf(options, settled, kept, verdict),
    verdict: verdict === null ? null : verdictView(verdict)
  }
}

/** Bugs with attempts; where there is none, the artifact that was refused, or that waits for its verdict. */
async function lineageOf (reader: RunReader, episode: string, kept: Pick<SettledEpisode, 'bugs'> | null, verdict: Verdict | null, samples: ReadonlyMap<string, Sample>): Promise<BugView[]> {
  const bugs = [...kept?.bugs ?? []]
  if (bugs.length === 0) {
    const submitted = (await reader.result<BreakResult>(breakId(episode)))?.bugId ?? null
    if (submitted !== null) bugs.push({ bugId: submitted, order: 1, attempts: [] })
  }
  return await Promise.all(bugs.map(async ({ bugId, order }, index) => {
    const artifact = await reader.artifact({ episode, bug: bugId, order, valid: verdict?.valid ?? null }).catch(() => null)
    const { group } = reader.info().options
    // Of a bug that was never solved there is no attempt to show.
    const members = kept === null || kept.bugs.length === 0 ? 0 : group
    const attempts = (await Promise.all(Array.from({ length: members }, (_, member) => attemptView(reader, { episode, order, member }, samples)))).filter(attempt => attempt !== null)
    const first = order > 1 ? await madeOf(reader, episode, order - 1, group) : null
    return { bug: bugId, order, parent: index > 0 ? bugs[index - 1]!.bugId : null, madeOf: first, files: artifact === null ? [] : namedFiles(artifact.bug.files).map(fileView), attempts }
  }))
}

const fileView = ({ name, bytes }: { name: string; bytes: Uint8Array }): FileView =>
  ({ name, kind: name.endsWith('.diff') ? 'diff' : name.endsWith('.txt') ? 'list' : 'script', content: cutFile(bytes, textBytesMax * 4) })

/** The attempt that was promoted: the first that ran its tests and failed (src/run/promote.ts). */
async function madeOf (reader: RunReader, episode: string, order: number, group: number): Promise<string | null> {
  for (let member = 0; member < group; member++) {
    if ((await reader.result<GradeResult>(gradeId(episode, order, member)))?.grade.outcome === 'failing') return solveId(episode, order, member)
  }
  return null
}

async function attemptView (reader: RunReader, { episode, order, member }: { episode: string; order: number; member: number }, samples: ReadonlyMap<string, Sample>): Promise<AttemptView | null> {
  const rollout = await rolloutRow(reader, solveId(episode, order, member), samples)
  if (rollout === null) return null
  const patch = await reader.attempt(rollout.rollout).catch(() => null)
  const graded = (await reader.result<GradeResult>(gradeId(episode, order, member)))?.grade ?? null
  return {
    rollout, member, solved: samples.get(rollout.rollout)?.solved ?? graded?.solved ?? null,
    patch: patch === null ? null : cutFile(patch, textBytesMax),
    grade: graded === null ? null : { outcome: graded.outcome, reason: graded.reason, missing: graded.missing.slice(0, namesShownMax), failing: graded.failing.slice(0, namesShownMax), evidence: cutJson(graded.evidence, textBytesMax) }
  }
}

/** null: nobody knows of it. */
export async function rolloutRow (reader: RunReader, rollout: string, samples: ReadonlyMap<string, Sample>): Promise<RolloutRow | null> {
  const result = await reader.result<BreakResult | SolveResult>(rollout)
  const sample = samples.get(rollout)
  if (result === null && sample === undefined) return null
  const outcome = sample?.outcome ?? result!.outcome
  return {
    rollout, role: rollout.endsWith('.break') ? 'breaker' : 'solver', outcome, reason: sample?.reason || result?.reason || '',
    reward: sample?.reward ?? null, advantage: sample?.advantage ?? null, policy: result?.policy ?? sample?.policy ?? null,
    turns: result?.turns ?? null, delivery: result?.delivery ?? null, hasRecord: result !== null
  }
}

function rewardOf (options: RunOptions, settled: SettledEpisode | null, kept: Pick<SettledEpisode, 'bugs'> | null, verdict: Verdict | null): BreakerReward {
  const scoredMin = Math.min(options.minScored, options.group)
  const { scored, solved } = countAttempts(kept?.bugs[0]?.attempts ?? [])
  const valid = verdict === null || !verdict.decided ? null : verdict.valid
  const reward = settled === null ? null : rewardBreaker(options, settled)
  return { reward, valid, scored, solved, alpha: options.alpha, scoredMin, why: whyOf(options.alpha, settled, { valid, scored, solved, scoredMin, reward }) }
}

function whyOf (alpha: number, settled: SettledEpisode | null, { valid, scored, solved, scoredMin, reward }: Omit<BreakerReward, 'alpha' | 'why'>): string {
  if (settled === null) return 'the episode is not settled'
  if (settled.ending.kind === 'fault' && settled.ending.outcome === 'policy_fault') return '−1: no bug was submitted'
  if (settled.ending.kind === 'fault') return `none: ${settled.ending.outcome} says nothing of the policy`
  if (valid === false) return '−1: the artifact is invalid'
  if (reward === null) return `none: ${scored} scored attempts, a solve rate needs ${scoredMin}`
  if (solved === 0 || solved === scored) return `−α = −${alpha}: ${solved} of ${scored} attempts solve it, so it teaches nothing`
  return `1 − (1 + ${alpha}) · ${solved}/${scored}`
}
