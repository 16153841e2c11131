// Runs as evidence: enough for somebody else to repeat them and to compare. Pure.

import type { TestMap } from '../domain.ts'
import type { TreeRun } from './types.ts'

export interface RunEvidence {
  tree: string
  command: string
  exitCode: number | null
  killed: TreeRun['killed']
  durationMs: number
  logBytes: number
  logSha256: string
  passed: number
  failed: number
  /** Every test of the run; null where there is none, or more than evidenceTestsMax. */
  results: TestMap | null
}

export function runEvidence (tree: string, run: TreeRun, testsMax: number): RunEvidence {
  const { command, exitCode, killed, durationMs, logBytes, logSha256, results } = run
  const statuses = Object.values(results ?? {})
  const passed = statuses.filter(status => status === 'passed').length
  const kept = statuses.length <= testsMax ? results : null
  return { tree, command, exitCode, killed, durationMs: Math.round(durationMs), logBytes, logSha256, passed, failed: statuses.length - passed, results: kept }
}

/** A run without its tests, where another check holds these already. */
export const briefEvidence = (tree: string, run: TreeRun): Omit<RunEvidence, 'results'> => {
  const { results, ...rest } = runEvidence(tree, run, 0)
  return rest
}
