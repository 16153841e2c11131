// A verdict over runs that are at hand: the verifier's own stages, one after the other, until a check fails.

import type { Verdict } from '../src/domain.ts'
import { stageNames, toVerdict, verifyLimits, type VerifyRequest } from '../src/verify/index.ts'
import type { Plan } from '../src/verify/plan.ts'
import type { Runs } from '../src/verify/runs.ts'
import { nothingKnown } from '../src/verify/stages.ts'
import { stageFunctions } from '../src/verify/verification.ts'

/** What a benchmark's runs are made of; nothing is found before a run, nothing is started ahead. */
export type GivenRuns = Pick<Runs, 'clean' | 'buggy' | 'weakened' | 'restored'>

export async function judgeRuns (given: GivenRuns, { plan, request, repeats }: { plan: Plan; request: VerifyRequest; repeats: number }): Promise<Verdict> {
  const runs: Runs = { absent: async () => [], survey: async () => ({ fresh: [], old: [] }), blind: async () => null, prepareAll: () => {}, begin: () => {}, close: async () => {}, ...given }
  const stages = { plan, runs, request, limits: verifyLimits, repeats, known: nothingKnown(plan) }
  const reports = []
  for (const stage of stageNames) {
    reports.push(await stageFunctions[stage](stages))
    if (reports.at(-1)!.checks.some(check => check.verdict === 'fail')) break
  }
  const checks = new Map(reports.flatMap(report => report.checks).map(check => [check.name, check]))
  return toVerdict(request.bug, { kind: 'decided', checks: [...checks.values()], findings: Object.assign({}, ...reports.map(report => report.findings)) })
}
