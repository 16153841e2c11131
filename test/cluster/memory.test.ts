// Goal: nodes play runs to their end on the bus in memory. Method: the suite of the cluster.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/clock.ts'
import { clusterSuite } from './suite.ts'

clusterSuite(t, async (_, ackWaitMs) => {
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs, nodeTtlMs: 2_000 })
  return { connect: async () => broker.connect() }
})
