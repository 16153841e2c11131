// A grade from its own evidence: what is refused without a run is refused again, and the tests that were kept are judged
// again (src/verify/grade.ts).

import type { Arena, Bug, Grade } from '../domain.ts'
import { readTestFiles } from '../artifact/index.ts'
import type { RunEvidence } from '../verify/evidence.ts'
import type { ControlEvidence } from '../verify/control.ts'
import { judgeControls, judgeRun, refusePatch } from '../verify/grade.ts'
import { verifyLimits } from '../verify/limits.ts'
import type { Opinion } from '../verify/opinion.ts'
import { isNotKept, keptRun, notKept } from './kept-runs.ts'
import type { Notes } from './notes.ts'
import { countsOf } from './verdict.ts'

export interface GradedAttempt { bug: Bug; arena: Arena; expected: { f2p: readonly string[]; p2p: readonly string[] }; patch: Uint8Array }

/** The evidence's own grade, with everything noted that is stored otherwise. */
export async function followGrade (work: string, stored: Grade, attempt: GradedAttempt, notes: Notes): Promise<Grade> {
  const recomputed = await replayGrade(stored, attempt, notes)
  compareGrades(work, 'evidence', stored, recomputed, notes)
  const run = runOf(stored)
  if (run !== null && run.results !== null) notes.compare({ kind: 'grade', by: 'evidence', work: `${work} run ${run.tree}` }, run, countsOf(run.results), ['passed', 'failed'])
  return recomputed
}

export const compareGrades = (work: string, by: 'evidence' | 'rerun', stored: Grade, recomputed: Grade, notes: Notes): void =>
  notes.compare({ kind: 'grade', by, work }, stored, recomputed, ['solved', 'outcome', 'missing', 'failing'])

const runOf = ({ evidence }: Grade): RunEvidence | null => (evidence as { run?: RunEvidence }).run ?? null

/** Grades of former versions had none. */
function controlsOf ({ evidence }: Grade, notes: Notes): ControlEvidence[] {
  const { controls = [] } = evidence as { controls?: ControlEvidence[] }
  if (controls.some(({ run }) => run.results === null && run.passed > 0)) notes.take('control runs of a grade: their tests are not kept')
  return controls
}

async function replayGrade (stored: Grade, { bug, arena, expected, patch }: GradedAttempt, notes: Notes): Promise<Grade> {
  const refused = refusePatch(patch, readTestFiles(bug.files.testFiles), arena)
  if (refused !== null) return refused
  const run = runOf(stored)
  try {
    const { reader } = stored.evidence as { reader?: Opinion }
    const judged = await judgeRun({ expected }, keptRun(run ?? undefined, reader ?? null), async () => { throw notKept('the clean run beside it') }, verifyLimits)
    return judged.solved === true ? judgeControls(judged, controlsOf(stored, notes)) : judged
  } catch (error) {
    if (!isNotKept(error)) throw error
    return takenAsGiven(stored, run, notes)
  }
}

/** Where no test was kept there must be a reason for it: the patch does not apply, nothing ran to its end, or there were too many. */
function takenAsGiven (stored: Grade, run: RunEvidence | null, notes: Notes): Grade {
  const { outcome } = stored
  const hasTests = run !== null && run.passed + run.failed > 0
  const isPossible = run === null
    ? outcome === 'inapplicable' || outcome === 'infra_fault'
    : run.results !== null ? outcome === 'solved' || outcome === 'forged' || outcome === 'crashed' : hasTests ? outcome === 'solved' || outcome === 'forged' || outcome === 'failing' || outcome === 'crashed' : outcome === 'no_results' || outcome === 'crashed' || outcome === 'infra_fault'
  if (!isPossible) return { ...stored, solved: null, outcome: 'infra_fault', reason: 'its evidence holds nothing that it could follow from' }
  notes.take(run === null ? 'that a patch does not apply' : run.results !== null ? 'how the runner ends on the original tree' : hasTests ? 'a grade: the tests of its run are not kept' : 'why a graded run has no tests')
  return { ...stored, solved: outcome === 'infra_fault' ? null : outcome === 'solved' }
}
