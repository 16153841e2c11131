// Work `grade`: would the attempt repair the bug? In a fresh sandbox; a grade that could not be reached is thrown, so that
// the work is delivered again and never becomes a lost attempt.

import { readArtifact } from '../../src/artifact/index.ts'
import type { Delivery } from '../../src/bus/work.ts'
import type { Verdict } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { solveId, verifyId } from '../../src/run/ids.ts'
import type { GradeResult } from '../../src/run/results.ts'
import { gradeAttempt } from '../../src/verify/grade.ts'
import type { System } from '../system.ts'
import type { AttemptPayload } from './solve.ts'

export async function handleGrade (system: System, delivery: Delivery): Promise<GradeResult> {
  const { store, arena, ports } = system
  const known = store.result<GradeResult>(delivery.work.id)
  if (known) return known
  const { episodeId, bugId, order, member } = delivery.work.payload as AttemptPayload
  const { bug } = await readArtifact(store.bugDir(bugId))
  const { f2p, p2p } = store.result<Verdict>(verifyId(episodeId))!
  const patch = store.attempt(solveId(episodeId, order, member))
  const grade = await gradeAttempt({ bug, arena, expected: { f2p, p2p }, patch, run: store.run }, ports.verify, delivery.signal)
  if (grade.solved === null) throw new SparError('GRADE_UNDECIDED', `Cannot grade ${solveId(episodeId, order, member)}: ${grade.reason}`, { retryable: true })
  const kept: GradeResult = { grade, delivery: delivery.delivery }
  store.keepResult(delivery.work.id, kept)
  return kept
}
