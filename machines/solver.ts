// The solver's rollout: it submits the diff of its tree. See rollout.ts for the chart.

import { createRollout } from './rollout.ts'

export const solver = createRollout('solver')
