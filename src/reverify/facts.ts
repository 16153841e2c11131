// What is known of an episode once each of its results was followed from its own evidence: the facts that outcomes and
// rewards are then recomputed from. Without the evidence itself, so that a long run fits.

import { existsSync } from 'node:fs'
import { createBug } from '../artifact/index.ts'
import type { Bug, BugParams, Grade, GradeOutcome, Verdict } from '../domain.ts'
import { drawEpisode, episodeIdOf } from '../run/draw.ts'
import { breakId, gradeId, promoteId, settleId, solveId, verifyId } from '../run/ids.ts'
import type { RunOptions } from '../run/options.ts'
import type { BreakResult, GradeResult, SolveResult } from '../run/results.ts'
import type { SettledEpisode } from '../run/settle.ts'
import { attemptPath, bugFolder, rejectedFolder, submissionFolder } from '../store/episodes.ts'
import type { RunStore } from '../store/run.ts'
import { findArtifact, findPatch } from './artifacts.ts'
import { followGrade } from './grade.ts'
import { isSame, type Notes } from './notes.ts'
import { followVerdict } from './verdict.ts'

export type BareVerdict = Omit<Verdict, 'checks'> & { reason: string }
export type BareGrade = Omit<Grade, 'evidence'>
export interface AttemptFacts { member: number; played: SolveResult | null; grade: BareGrade | null }
export interface EpisodeFacts {
  number: number
  episodeId: string
  settled: SettledEpisode
  broken: BreakResult | null
  verdict: BareVerdict | null
  /** As many as `settled` has. */
  attempts: AttemptFacts[][]
}

/** `options` resolved: a run of an earlier version has fewer. */
export interface ReadRun { store: RunStore; options: RunOptions; notes: Notes }

export const bareVerdict = ({ checks, ...verdict }: Verdict): BareVerdict => ({ ...verdict, reason: checks.find(({ name }) => name === verdict.failed)?.reason ?? '' })
export const bareGrade = ({ evidence, ...grade }: Grade): BareGrade => grade

/** Null for an episode that has not settled. */
export async function readEpisode (run: ReadRun, number: number): Promise<EpisodeFacts | null> {
  const { store } = run
  const episodeId = episodeIdOf(number)
  const settled = store.result<SettledEpisode>(settleId(episodeId))
  if (settled === null) return null
  const broken = store.result<BreakResult>(breakId(episodeId))
  const artifact = broken?.bugId == null ? null : await findArtifact(store, broken.bugId, [submissionFolder(breakId(episodeId)), bugFolder(broken.bugId), rejectedFolder(broken.bugId)])
  const verdict = await readVerdict(run, number, artifact?.bug ?? null)
  const facts: EpisodeFacts = { number, episodeId, settled, broken, verdict: verdict && bareVerdict(verdict), attempts: [] }
  let bug = artifact?.bug ?? null
  for (const [index, { order, attempts }] of settled.bugs.entries()) {
    const read: AttemptFacts[] = []
    for (const { member } of attempts) read.push(await readAttempt(run, facts, bug, order, member))
    facts.attempts.push(read)
    bug = await followPromotion(run, facts, bug, index)
  }
  return facts
}

async function readVerdict ({ store, options, notes }: ReadRun, number: number, bug: Bug | null): Promise<Verdict | null> {
  const work = verifyId(episodeIdOf(number))
  const stored = store.result<Verdict>(work)
  if (stored === null) return null
  notes.count('verdict')
  if (bug === null) {
    notes.take('a verdict: its bug is not there')
    return stored
  }
  const { arena } = store.file()
  const { params, seed } = drawEpisode(options, number)
  const verdict = await followVerdict(work, stored, { bug, arena, params, mode: options.mode }, notes)
  await checkManifest(store, verdict, { params, seed }, notes)
  return verdict
}

/** The verdict goes with the bug; where two episodes made the same, with the first that had one. */
async function checkManifest (store: RunStore, verdict: Verdict, drawn: { params: BugParams; seed: number }, notes: Notes): Promise<void> {
  const folder = verdict.valid ? bugFolder(verdict.bugId) : rejectedFolder(verdict.bugId)
  const manifest = (await findArtifact(store, verdict.bugId, [folder]))?.manifest ?? null
  const about = { kind: 'artifact', by: 'evidence', work: folder } as const
  if (!existsSync(store.path(folder))) notes.differ({ ...about, field: 'folder', stored: null, recomputed: 'a bug with this verdict' })
  else if (manifest !== null && manifest.seed === drawn.seed) {
    notes.compare(about, manifest, drawn, ['params'])
    notes.compare(about, manifest.verdict ?? {}, verdict, ['valid', 'failed', 'f2p', 'p2p'])
  }
}

async function readAttempt ({ store, notes }: ReadRun, { episodeId, verdict }: EpisodeFacts, bug: Bug | null, order: number, member: number): Promise<AttemptFacts> {
  const rollout = solveId(episodeId, order, member)
  const work = gradeId(episodeId, order, member)
  const played = store.result<SolveResult>(rollout)
  const stored = store.result<GradeResult>(work)?.grade ?? null
  if (stored === null) return { member, played, grade: null }
  notes.count('grade')
  const patch = findPatch(store, rollout)
  if (patch === null) notes.differ({ kind: 'grade', by: 'evidence', work: rollout, field: 'patch', stored: null, recomputed: attemptPath(rollout) })
  else if (bug !== null && verdict !== null) {
    return { member, played, grade: bareGrade(await followGrade(work, stored, { bug, arena: store.file().arena, expected: verdict, patch }, notes)) }
  }
  notes.take('a grade: its bug or its patch is not there')
  return { member, played, grade: bareGrade(stored) }
}

/** Attempts that ran their tests and failed become bugs of the next order: the first of them. */
const promotable: GradeOutcome = 'failing'

/** Which bug the failed attempt of this one became: the next of the episode. */
async function followPromotion ({ store, options, notes }: ReadRun, { episodeId, settled, attempts }: EpisodeFacts, parent: Bug | null, index: number): Promise<Bug | null> {
  const next = settled.bugs[index + 1] ?? null
  if (settled.ending.kind !== 'played' || parent === null) return null
  const { order } = settled.bugs[index]!
  const chosen = order >= options.maxOrder ? undefined : attempts[index]!.find(({ grade }) => grade?.solved === false && grade.outcome === promotable)
  const predPatch = chosen === undefined ? null : findPatch(store, solveId(episodeId, order, chosen.member))
  const bug = predPatch === null ? null : createBug({ ...parent.files, predPatch }, parent.id)
  // A second order that was cancelled or given up is left out of what settled.
  const isLeftOut = next === null && bug !== null && store.result<{ bugId: string | null }>(promoteId(episodeId, order + 1))?.bugId === bug.id
  if (isLeftOut) notes.take('that a second order was left out')
  else if (!isSame(next?.bugId ?? null, bug?.id ?? null)) notes.differ({ kind: 'outcome', by: 'evidence', work: promoteId(episodeId, order + 1), field: 'bugId', stored: next?.bugId ?? null, recomputed: bug?.id ?? null })
  return next === null ? null : (await findArtifact(store, next.bugId, [bugFolder(next.bugId)]))?.bug ?? bug
}
