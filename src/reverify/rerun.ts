// Verdicts and grades of a run once more, in fresh sandboxes of its arena: what differs now, and the facts as they are then.
// An infrastructure fault says nothing of either side.

import { underAny } from '../bus/abort.ts'
import type { Arena, Grade, Verdict } from '../domain.ts'
import { createLimiter } from '../limiter.ts'
import { createRandom } from '../random.ts'
import { drawEpisode, numberOfWork } from '../run/draw.ts'
import { breakId, gradeId, solveId, verifyId } from '../run/ids.ts'
import type { GradeResult } from '../run/results.ts'
import { attemptPath, bugFolder, rejectedFolder, submissionFolder } from '../store/episodes.ts'
import type { GradeRequest } from '../verify/grade.ts'
import type { VerifyRequest } from '../verify/types.ts'
import { findArtifact, findPatch } from './artifacts.ts'
import { bareGrade, bareVerdict, type EpisodeFacts, type ReadRun } from './facts.ts'
import { compareGrades } from './grade.ts'
import type { Difference } from './notes.ts'
import { compareVerdicts } from './verdict.ts'

export interface RerunPorts {
  verify (request: VerifyRequest, signal: AbortSignal): Promise<Verdict>
  grade (request: GradeRequest, signal: AbortSignal): Promise<Grade>
  onDone (done: { work: string; answer: 'same' | 'differs' | 'undecided'; reason: string }): void
}

export interface RerunOptions { arena: Arena; works: readonly string[]; jobs: number; signal: AbortSignal }

export interface Rerun {
  verdicts: number
  grades: number
  /** With what was found the same again. */
  same: number
  differing: number
  undecided: { work: string; reason: string }[]
  /** The facts with the new verdicts and grades in their places. */
  facts: EpisodeFacts[]
}

/** Ids of the verdicts and grades that a run has. */
export const worksOf = (facts: readonly EpisodeFacts[]): string[] => facts.flatMap(({ episodeId, settled, verdict, attempts }) => [
  ...(verdict === null ? [] : [verifyId(episodeId)]),
  ...settled.bugs.flatMap(({ order }, index) => attempts[index]!.flatMap(({ member, grade }) => grade === null ? [] : [gradeId(episodeId, order, member)]))
])

/** As many of them as are asked for, drawn by the seed, in the order of the run. */
export function drawWorks (works: readonly string[], count: number, seed: number): string[] {
  const drawn = new Set(createRandom(seed).fork('reverify').shuffle(works).slice(0, count))
  return works.filter(work => drawn.has(work))
}

const isVerdict = (work: string): boolean => work.endsWith('.verify')

export async function runAgain (run: ReadRun, facts: readonly EpisodeFacts[], { arena, works, jobs, signal }: RerunOptions, ports: RerunPorts): Promise<Rerun> {
  const again = facts.map(episode => ({ ...episode, attempts: episode.attempts.map(group => group.map(attempt => ({ ...attempt }))) }))
  const byNumber = new Map(again.map(episode => [episode.number, episode]))
  const rerun: Rerun = { verdicts: works.filter(isVerdict).length, grades: works.filter(work => !isVerdict(work)).length, same: 0, differing: 0, undecided: [], facts: again }
  const slots = createLimiter(jobs)
  const all = async (works: readonly string[], one: (episode: EpisodeFacts, work: string, signal: AbortSignal) => Promise<string | null>): Promise<void> => {
    await Promise.all(works.map(async work => await slots.run(async () => {
      signal.throwIfAborted()
      const undecided = await underAny([signal], own => one(byNumber.get(numberOfWork(work))!, work, own))
      const differs = run.notes.differences.some(difference => difference.by === 'rerun' && difference.work === work)
      if (undecided !== null) rerun.undecided.push({ work, reason: undecided })
      else if (differs) rerun.differing++
      else rerun.same++
      ports.onDone({ work, answer: undecided !== null ? 'undecided' : differs ? 'differs' : 'same', reason: undecided ?? '' })
    })))
  }
  // What has to pass is what the new verdict says.
  await all(works.filter(isVerdict), async (episode, work, signal) => await verifyAgain(run, arena, episode, work, ports, signal))
  await all(works.filter(work => !isVerdict(work)), async (episode, work, signal) => await gradeAgain(run, arena, episode, work, ports, signal))
  // In the order of the run, whichever was done first.
  const place = new Map(works.map((work, index) => [work, index]))
  const placeOf = ({ by, work }: Difference): number => by === 'rerun' ? place.get(work) ?? works.length : -1
  run.notes.differences.sort((one, other) => placeOf(one) - placeOf(other))
  return rerun
}

/** Why it is not decided, or null. */
async function verifyAgain ({ store, options, notes }: ReadRun, arena: Arena, episode: EpisodeFacts, work: string, ports: RerunPorts, signal: AbortSignal): Promise<string | null> {
  const stored = store.result<Verdict>(work)!
  const artifact = await findArtifact(store, stored.bugId, [submissionFolder(breakId(episode.episodeId)), bugFolder(stored.bugId), rejectedFolder(stored.bugId)])
  if (artifact === null) return `${stored.bugId} is not there, or not whole`
  const verdict = await ports.verify({ bug: artifact.bug, arena, params: drawEpisode(options, episode.number).params, mode: options.mode, run: 'reverify' }, signal)
  if (!verdict.decided) return verdict.checks.find(check => check.verdict === 'error')?.reason ?? 'no check could run'
  compareVerdicts(work, 'rerun', stored, verdict, notes)
  episode.verdict = bareVerdict(verdict)
  return null
}

async function gradeAgain ({ store, notes }: ReadRun, arena: Arena, episode: EpisodeFacts, work: string, ports: RerunPorts, signal: AbortSignal): Promise<string | null> {
  const [order, member] = work.split('.').slice(-2).map(Number) as [number, number]
  const rollout = solveId(episode.episodeId, order, member)
  const stored = store.result<GradeResult>(work)!.grade
  const index = episode.settled.bugs.findIndex(bug => bug.order === order)
  const { bugId } = episode.settled.bugs[index]!
  const artifact = await findArtifact(store, bugId, [bugFolder(bugId)])
  if (artifact === null) return `${bugId} is not there, or not whole`
  const expected = episode.verdict?.valid === true ? episode.verdict : store.result<Verdict>(verifyId(episode.episodeId))
  if (expected === null) return 'its bug has no verdict'
  const patch = findPatch(store, rollout)
  if (patch === null) return `${attemptPath(rollout)} is not there`
  const grade = await ports.grade({ bug: artifact.bug, arena, expected, patch, run: 'reverify' }, signal)
  if (grade.solved === null) return grade.reason
  compareGrades(work, 'rerun', stored, grade, notes)
  episode.attempts[index]!.find(attempt => attempt.member === member)!.grade = bareGrade(grade)
  return null
}
