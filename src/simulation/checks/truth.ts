// Verdicts and grades against what is true of bugs and attempts: whatever befell sandboxes and nodes, none of it may become one.

import { breakId, promoteId, solveId, verifyId } from '../../run/ids.ts'
import { drawEpisode, numberOfWork, rolloutSeed } from '../../run/draw.ts'
import type { BreakResult, GradeResult, SolveResult } from '../../run/results.ts'
import type { Bug, Verdict } from '../../domain.ts'
import { readAttachment, readEndingArtifact, readEndingResult } from '../../cluster/records.ts'
import { attemptPath } from '../../store/episodes.ts'
import { oraclePatch } from '../../verify/solver-tree.ts'
import { breakSubmits } from '../breaker.ts'
import { skill } from '../policy.ts'
import { solveSubmits } from '../solver.ts'
import { truthOfAttempt, truthOfBug } from '../truth.ts'
import type { Kept } from './records.ts'
import type { Aftermath, Say } from './types.ts'

/** The work that a bug stands in. */
const bugOfOrder = (episode: string, order: string): string => order === '1' ? verifyId(episode) : promoteId(episode, Number(order))

export async function checkTruth ({ inner, retry, document }: Aftermath, { endings, promoted }: Kept, say: Say): Promise<void> {
  const { options, arenas } = document
  const bugs = new Map<string, Bug>()
  const bugOf = async (work: string): Promise<Bug> => {
    const known = bugs.get(work) ?? (await readEndingArtifact(inner, retry, (endings.get(work) ?? promoted.get(work))!))!.bug
    bugs.set(work, known)
    return known
  }
  for (const [work, ending] of endings) {
    if (ending.kind !== 'settled') continue
    const number = numberOfWork(work)
    const [episode, kind, order, member] = work.split('.') as [string, string, string, string]
    const draw = drawEpisode(options, number)
    const arena = arenas[draw.arena]!.opened!
    const seed = rolloutSeed(options, work)
    if (kind === 'break' || kind === 'solve') {
      const { outcome, reason } = (await readEndingResult<BreakResult | SolveResult>(inner, retry, ending))!
      const submits = kind === 'break' ? breakSubmits({ seed }) : solveSubmits({ seed, oraclePatch: oraclePatch(await bugOf(bugOfOrder(episode, order))) }, skill)
      if (outcome === 'policy_fault' && submits) say('infrastructure-scored', `${work} is the policy's fault (${reason}), which had something to submit`)
    }
    if (kind === 'verify') {
      const verdict = (await readEndingResult<Verdict>(inner, retry, ending))!
      const truth = truthOfBug(await bugOf(breakId(episode)), arena, draw.params, options.mode)
      if (verdict.valid && truth.valid && JSON.stringify([[...verdict.f2p].sort(), [...verdict.p2p].sort()]) !== JSON.stringify([truth.f2p, truth.p2p])) say('truth', `${work} names ${verdict.f2p.length} failing and ${verdict.p2p.length} passing tests, the bug has ${truth.f2p.length} and ${truth.p2p.length}`)
      if (verdict.valid !== truth.valid) say('truth', `${work} says ${verdict.valid ? 'valid' : `invalid (${verdict.failed}: ${verdict.checks.find(({ name }) => name === verdict.failed)?.reason})`}, the bug is ${truth.valid ? 'valid' : `invalid (${truth.failed})`}`)
    }
    if (kind === 'grade') {
      const { grade } = (await readEndingResult<GradeResult>(inner, retry, ending))!
      const verdict = (await readEndingResult<Verdict>(inner, retry, endings.get(verifyId(episode))!))!
      const solved = endings.get(solveId(episode, Number(order), Number(member)))!
      const file = solved.kind === 'settled' ? solved.files.find(({ name }) => name === attemptPath(solveId(episode, Number(order), Number(member)))) : undefined
      const isSolved = truthOfAttempt(await bugOf(bugOfOrder(episode, order)), arena, verdict, await readAttachment(inner, retry, file!))
      if (grade.solved !== null && grade.solved !== isSolved) say('truth', `${work} says ${grade.solved ? 'solved' : `not solved (${grade.outcome}: ${grade.reason})`}, the attempt ${isSolved ? 'solves' : 'does not solve'} the bug`)
    }
  }
}
