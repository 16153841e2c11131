// The runs of a verification as its evidence keeps them. Whole maps are there of the first run on each tree. Of the others
// there is what they led to, which is taken as given and turned into maps that say the same: a test that was flaky has
// another status in the second run, and a tree with restored files repairs the tests that it repaired.

import { isDeepStrictEqual } from 'node:util'
import type { PatchFile } from '../artifact/index.ts'
import type { CheckName, TestMap, TestStatus, Verdict } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { RunEvidence } from '../verify/evidence.ts'
import { restoredTree } from '../verify/inverse.ts'
import type { Opinion } from '../verify/opinion.ts'
import { unitName } from '../verify/plan.ts'
import { isOfPatch } from '../verify/survey.ts'
import type { Finding } from '../workers/survey/survey.ts'
import type { Runs } from '../verify/runs.ts'
import type { TreeRun } from '../verify/types.ts'

export type BriefRun = Omit<RunEvidence, 'results'>

/** The parts of a check's evidence that are read again here; any of them may be missing. */
export interface KeptEvidence {
  runs?: RunEvidence[]
  logs?: BriefRun[]
  absent?: string[]
  rules?: number
  failing?: string[]
  hidden?: string[]
  flaky?: string[]
  restored?: { files: string[]; flips: string[] }[]
  repeats?: number
  /** What was found in the bug's patch. */
  found?: Finding[]
  /** The run without a readable test file; of scripts that are none of ours. */
  blind?: RunEvidence
}

export const evidenceOf = ({ checks }: Verdict, name: CheckName): KeptEvidence => checks.find(check => check.name === name)?.evidence ?? {}

export const isNotKept = (error: unknown): boolean => error instanceof SparError && error.code === 'EVIDENCE_NOT_KEPT'
export const notKept = (what: string): SparError => new SparError('EVIDENCE_NOT_KEPT', `The evidence does not hold ${what}`)

/** A run of which the tests were kept. Throws EVIDENCE_NOT_KEPT. */
export function keptRun (run: RunEvidence | undefined, opinion: Opinion | null = null): TreeRun {
  if (run === undefined || run.results === null) throw notKept('the tests of a run')
  const { command, exitCode, killed, durationMs, logBytes, logSha256, results } = run
  return { command, exitCode, killed, durationMs, logBytes, logSha256, results, skipped: [], fault: null, opinion }
}

/** `units`: files of the bug, in which what was found must stand. */
export function keptRuns (verdict: Verdict, units: readonly PatchFile[]): Runs {
  const [script, bug, weaken, inverse, determinism] = (['script', 'bug', 'weaken', 'inverse', 'determinism'] as const).map(name => evidenceOf(verdict, name)) as [KeptEvidence, KeptEvidence, KeptEvidence, KeptEvidence, KeptEvidence]
  const failed = (...names: CheckName[]): boolean => verdict.checks.some(check => names.includes(check.name) && check.verdict === 'fail')
  const [clean, buggy] = [(): TreeRun => keptRun(script.runs?.[0]), (): TreeRun => keptRun(bug.runs?.[0])]
  // A run without a test was judged by why it has none, which is not kept.
  const requireTests = (run: BriefRun | undefined, ...judged: CheckName[]): void => {
    if (run !== undefined && run.passed + run.failed === 0 && failed('parser', ...judged)) throw notKept(`why ${run.tree} has no test`)
  }
  return {
    absent: async () => evidenceOf(verdict, 'files').absent ?? [],
    survey: async () => ({ fresh: (evidenceOf(verdict, 'scope').found ?? []).filter(finding => isOfPatch(finding, units)), old: [] }),
    prepareAll: () => {}, begin: () => {},
    async clean (repeat) {
      const run = clean()
      if (repeat === 0) return run
      requireTests(determinism.runs?.find(({ tree }) => tree === `clean ${repeat + 1}`), 'determinism')
      const failsAlways = new Set(script.failing)
      const failsSometimes = Object.keys(run.results!).filter(id => run.results![id] === 'failed' && !failsAlways.has(id))
      return changed(run, [...new Set([...verdict.quarantined, ...failsSometimes])], opposite)
    },
    async buggy (repeat) {
      const run = buggy()
      if (repeat === 0) return run
      requireTests(determinism.runs?.find(({ tree }) => tree === `buggy ${repeat + 1}`), 'determinism')
      return changed(run, determinism.flaky ?? [], opposite)
    },
    async blind () {
      if (script.blind === undefined) return null
      if (script.blind.results === null && script.blind.passed + script.blind.failed > 0) throw notKept('the tests of the run without test files')
      return keptRun({ ...script.blind, results: script.blind.results ?? {} })
    },
    weakened: async () => keptRun(weaken.runs?.[0]),
    async restored (units) {
      const names = units.map(unitName)
      const run = inverse.runs?.find(({ tree }) => tree === restoredTree(units))
      if (run === undefined) throw notKept(`a run with ${names.join(', ')} restored`)
      requireTests(run, 'inverse')
      return changed(buggy(), inverse.restored?.find(({ files }) => isDeepStrictEqual(files, names))?.flips ?? [], () => 'passed')
    },
    close: async () => {}
  }
}

const opposite = (status: TestStatus | undefined): TestStatus => status === 'passed' ? 'failed' : 'passed'

function changed (run: TreeRun, ids: readonly string[], to: (status: TestStatus | undefined) => TestStatus): TreeRun {
  const results = new Map(Object.entries(run.results!))
  for (const id of ids) results.set(id, to(results.get(id)))
  return { ...run, results: Object.fromEntries(results) satisfies TestMap }
}
