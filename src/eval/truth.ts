// SWE-bench's truth table: what the results of one run say of an instance. Pure. Which failures are ours is decided before, by
// whoever ran the tests; a run that the table calls invalid cannot be believed, and resolves nothing.
//
//   FAIL_TO_PASS   passed: fine    skipped, failed, no result: not resolved
//   PASS_TO_PASS   passed, skipped: fine    failed, no result: not resolved
//   eval_type fail_only: a test has to have failed to count, since the log names nothing else
//   no result at all: invalid    the runner fails, and no test does: invalid

import type { LogStatus } from '../workers/testlog/index.ts'

export type EvalType = 'pass_and_fail' | 'fail_only'

export interface Expected { f2p: readonly string[]; p2p: readonly string[]; evalType: EvalType }

/** One run: a state by the id that an instance has for a test, or null; what the log holds; the runner's exit code, null where a signal ended it, undefined where nobody says it. */
export interface Observed { statusOf (id: string): LogStatus | null; statuses: readonly LogStatus[]; exitCode: number | null | undefined }

/** Tests that keep an instance from being resolved. */
export interface Unmet { missing: string[]; failing: string[]; skipped: string[] }

export type Judgement =
  | { outcome: 'resolved'; reason: string }
  | { outcome: 'unresolved'; reason: string; unmet: Unmet }
  | { outcome: 'invalid'; why: 'no results' | 'exit code'; reason: string }

export function judgeRun (expected: Expected, observed: Observed): Judgement {
  const { statuses, exitCode } = observed
  if (statuses.length === 0) return { outcome: 'invalid', why: 'no results', reason: 'no test has a result' }
  const isFailing = statuses.some(status => status === 'failed' || status === 'error')
  if (exitCode !== undefined && exitCode !== 0 && !isFailing) {
    return { outcome: 'invalid', why: 'exit code', reason: `the runner ${exitCode === null ? 'was ended by a signal' : `exits with ${exitCode}`} though no test failed` }
  }
  const unmet = unmetBy(expected, observed)
  const total = expected.f2p.length + expected.p2p.length
  const { missing, failing, skipped } = unmet
  if (missing.length + failing.length + skipped.length === 0) return { outcome: 'resolved', reason: `all ${total} tests pass` }
  const parts = [`${failing.length} fail`, ...skipped.length > 0 ? [`${skipped.length} are skipped`] : [], `${missing.length} have no result`]
  return { outcome: 'unresolved', reason: `of ${total} tests ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`, unmet }
}

function unmetBy ({ f2p, p2p, evalType }: Expected, { statusOf }: Observed): Unmet {
  const unmet: Unmet = { missing: [], failing: [], skipped: [] }
  const look = (id: string, maySkip: boolean): void => {
    const status = statusOf(id)
    if (status === 'failed' || status === 'error') unmet.failing.push(id)
    else if (evalType === 'fail_only' || status === 'passed' || (status === 'skipped' && maySkip)) return
    else unmet[status === null ? 'missing' : 'skipped'].push(id)
  }
  for (const id of f2p) look(id, false)
  for (const id of p2p) look(id, true)
  return unmet
}
