// Work `grade`: would the attempt repair the bug? In a fresh sandbox; a grade that could not be reached is thrown, so that
// the work is delivered again and never becomes a lost attempt.

import type { Delivery } from '../../src/bus/work.ts'
import type { Verdict } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { solveId, verifyId } from '../../src/run/ids.ts'
import type { GradeResult } from '../../src/run/results.ts'
import { output, type WorkOutput } from '../../src/store/episodes.ts'
import { gradeAttempt } from '../../src/verify/grade.ts'
import { sandboxesOf } from '../sandbox.ts'
import type { AttemptPayload } from './solve.ts'
import type { Workplace } from './types.ts'

export async function handleGrade (place: Workplace, delivery: Delivery): Promise<WorkOutput<GradeResult>> {
  const { store, arena, ports } = place
  const { episodeId, bugId, order, member } = delivery.work.payload as AttemptPayload
  const { bug } = await store.bug({ episodeId, bugId, order })
  const { f2p, p2p } = (await store.result<Verdict>(verifyId(episodeId)))!
  const patch = await store.attempt(solveId(episodeId, order, member))
  const grade = await gradeAttempt({ bug, arena, expected: { f2p, p2p }, patch, run: store.run }, { ...ports.verify, sandboxes: sandboxesOf(ports.verify.sandboxes, delivery.work.id) }, delivery.signal)
  ports.verify.metrics?.add('spar_grades_total', { outcome: grade.outcome })
  if (grade.solved === null) throw new SparError('GRADE_UNDECIDED', `Cannot grade ${solveId(episodeId, order, member)}: ${grade.reason}`, { retryable: true })
  return output({ grade, delivery: delivery.delivery })
}
