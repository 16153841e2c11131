// A patch that is graded: what can be said of it without a run, and the words for what a grade comes to.

import { readPatch, touchedPaths, type PatchFile } from '../artifact/index.ts'
import { SparError } from '../errors.ts'

/** `invalid`: the tests ran and what they say cannot be believed, so that nothing is resolved. */
export type EvalOutcome = 'resolved' | 'unresolved' | 'invalid' | 'empty' | 'error'
/** `retryable`: of an error, whether another try may do better. */
export interface EvalGrade { outcome: EvalOutcome; reason: string; missing: string[]; failing: string[]; skipped: string[]; retryable: boolean }

export const evalGrade = (outcome: EvalOutcome, reason: string, { missing = [], failing = [], skipped = [], retryable = false }: Partial<EvalGrade> = {}): EvalGrade => ({ outcome, reason, missing, failing, skipped, retryable })

/** The patch's name in a run. */
export const attemptName = 'the attempt'

export const touches = (file: PatchFile, testFiles: readonly string[]): boolean => touchedPaths(file).some(path => testFiles.some(test => test === path || test.startsWith(`${path}/`) || path.startsWith(`${test}/`)))

/** The files of a patch, or what can be said of one without a run. */
export function readAttempt (patch: string): PatchFile[] | EvalGrade {
  try {
    const files = readPatch(Buffer.from(patch))
    return files.length === 0 ? evalGrade('unresolved', 'the patch holds no file of a git diff') : files
  } catch (error) {
    if (!(error instanceof SparError)) throw error
    return evalGrade('unresolved', `the patch cannot be read: ${error.message}`)
  }
}
