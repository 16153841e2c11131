// The breaker's rollout: it submits five files. See rollout.ts for the chart.

import { createRollout } from './rollout.ts'

export const breaker = createRollout('breaker')
