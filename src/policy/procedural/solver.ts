// The procedural solver: program repair by generate and validate (Weimer et al., 2009; Long and Rinard, 2016) through the
// tools that every solver has. It restores the tests, localises by spectrum and stack traces, tries candidates that the
// workers make from the repository's own code, keeps what makes more tests pass, and submits. Knows nothing but its tree.

import type { Workers } from '../../workers/pool.ts'
import type { Policy } from '../../ports.ts'
import { createProceduralSession } from './session.ts'
import { solverLimits, type SolverLimits } from './solver/limits.ts'
import { solve } from './solver/play.ts'

export interface ProceduralSolverOptions {
  workers: Pick<Workers, 'run'>
  limits?: Partial<SolverLimits>
}

export function createProceduralSolver ({ workers, limits = {} }: ProceduralSolverOptions): Policy {
  return {
    name: 'procedural-solver',
    version: '1',
    start: task => {
      if (task.role !== 'solver') throw new TypeError(`Cannot start the procedural solver: the role is ${task.role}`)
      return createProceduralSession(solve(task, { workers, limits: { ...solverLimits, ...limits } }))
    }
  }
}
