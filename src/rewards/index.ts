// The door of this folder: rewards of both roles and the advantages of a group. Pure.

export { breakerReward, breakerRewardDefaults, peakSolveRate, solveRate, type BreakerRewardOptions, type BugResult } from './breaker.ts'
export { groupAdvantages, type GroupAdvantages } from './group.ts'
export { solverReward } from './solver.ts'
