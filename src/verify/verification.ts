// One verification, as the runner of the machine needs it: stages by name, and an end that leaves nothing behind.

import { verifyLimits } from './limits.ts'
import { planBug } from './plan.ts'
import { createRuns } from './runs.ts'
import { checkBuggy, checkClean, checkDeterminism, checkInverse, checkStatic, checkWeakened, nothingKnown, type Stages } from './stages.ts'
import type { StageName, StageReport, VerifyPorts, VerifyRequest } from './types.ts'

export interface Verification {
  readonly stageMsMax: number
  /** Stages are run in the order of `stageNames`, each once. Rejects with what is our fault, never the artifact's. */
  stage (name: StageName): Promise<StageReport>
  /** Ends every run and removes every sandbox. Idempotent. */
  close (): Promise<void>
}

/** What each stage does; exported for those who have the runs from elsewhere: the benchmark, and a verdict that is followed from its evidence. */
export const stageFunctions: Record<StageName, (stages: Stages) => Promise<StageReport>> = {
  static: checkStatic, clean: checkClean, buggy: checkBuggy, weakened: checkWeakened, inverse: checkInverse, determinism: checkDeterminism
}

export function openVerification (request: VerifyRequest, ports: VerifyPorts): Verification {
  const { bug, arena, params, run } = request
  const limits = { ...verifyLimits, ...request.limits }
  const repeats = Math.max(1, request.repeats ?? limits.repeats)
  const plan = planBug(bug, arena, params)
  const suite = { script: bug.files.testScript, parser: bug.files.testParser, parserName: bug.files.parserName }
  const runs = createRuns(plan, { arena, suite, run, limits }, ports)
  const stages: Stages = { plan, runs, request, limits, repeats, known: nothingKnown(plan) }
  return {
    stageMsMax: limits.stageMsMax,
    async stage (name) {
      const startedAt = ports.clock.now()
      const report = await stageFunctions[name](stages)
      ports.metrics?.observe('spar_verify_stage_seconds', { stage: name }, (ports.clock.now() - startedAt) / 1000)
      return report
    },
    close: async () => await runs.close()
  }
}
