// What verification and grading work with on this machine.

import { availableParallelism } from 'node:os'
import { systemClock } from '../clock.ts'
import { createLimiter } from '../limiter.ts'
import { createReadLog, readLogHere } from '../workers/logs.ts'
import type { Workers } from '../workers/pool.ts'
import { createSurvey, surveyHere } from '../workers/surveys.ts'
import { createCleanRunCache } from './clean-runs.ts'
import { createControls, sabotageHere, sabotageIn } from './control.ts'
import type { VerifyPorts } from './types.ts'

/** Without threads for one verification at a time. */
export const verifyPorts = (sandboxes: VerifyPorts['sandboxes'], { workers = null, cores = availableParallelism() }: { workers?: Pick<Workers, 'run'> | null; cores?: number } = {}): VerifyPorts => ({
  sandboxes,
  cores: createLimiter(cores),
  cleanRuns: createCleanRunCache(),
  controls: createControls(workers === null ? sabotageHere : sabotageIn(workers)),
  readLog: workers === null ? readLogHere : createReadLog(workers),
  survey: workers === null ? surveyHere : createSurvey(workers),
  clock: systemClock
})
