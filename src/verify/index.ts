// The door of this folder. `verifyBug` itself is in actors/verifier.ts: the order of the stages is a machine's business.

export { cleanRunKey, createCleanRunCache, type CleanRunCache } from './clean-runs.ts'
export { createControls, sabotageHere, sabotageIn } from './control.ts'
export { gradeAttempt, type GradePorts, type GradeRequest } from './grade.ts'
export { verifyLimits, type VerifyLimits } from './limits.ts'
export { oraclePatch, prepareSolverTree } from './solver-tree.ts'
export { stageNames, type StageName, type StageReport, type TreeRun, type VerificationOutcome, type VerifyPorts, type VerifyRequest } from './types.ts'
export { toVerdict } from './verdict.ts'
export { openVerification, type Verification } from './verification.ts'
