// The door of this folder.

export { leakLimits, type LeakLimits } from './limits.ts'
export { createLeakMemory, leakMemoryOf, scanSolverTree, type LeakMemory, type LeakRequest, type SoughtBug } from './scan.ts'
