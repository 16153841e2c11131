// What the parts of a simulation share.

import { createMemoryBroker, type MemoryBroker } from '../../src/bus/memory.ts'
import type { Bus } from '../../src/bus/types.ts'
import { clusterLimits } from '../../src/cluster/limits.ts'
import type { Clock, Random } from '../../src/ports.ts'
import { createRandom, deriveSeed } from '../../src/random.ts'
import { createFates, type FaultPlan, type Fates } from '../../src/simulation/faults.ts'
import { createHost } from '../../src/simulation/host.ts'
import { createVirtualTime, simulationStart, type VirtualTime } from '../../src/simulation/time.ts'
import { createTrace, type Trace, type TraceLine } from '../../src/simulation/trace.ts'

/** All nodes together have room for them. */
export const arenasOfRunMax = 2

export interface World {
  time: VirtualTime
  plan: FaultPlan
  fates: Fates
  random: Random
  broker: MemoryBroker
  /** A connection that nothing befalls: of whoever looks on. */
  inner: Bus
  /** True time. */
  clock: Clock
  /** Between a process and the bus, one way, milliseconds. */
  latency: { min: number; spread: number }
  /** That a node holds at most. */
  arenasMax: number
  trace (who: string, what: string, detail?: string): void
  lines: Trace
}

export function createWorld (seed: number, nodes: number, plan: FaultPlan, onLine: ((line: TraceLine) => void) | null): World {
  const time = createVirtualTime()
  const lines = createTrace(onLine)
  const { clock } = createHost({ name: 'world', time })
  const random = createRandom(deriveSeed(seed, 'world'))
  const broker = createMemoryBroker({ clock })
  return {
    time, plan, broker, clock, lines,
    fates: createFates(plan, deriveSeed(seed, 'fates')),
    random,
    arenasMax: random.fork('arenas').pick([Math.ceil(arenasOfRunMax / nodes), arenasOfRunMax, clusterLimits.arenasMax]),
    inner: broker.connect(),
    latency: { min: 0.2, spread: 1.5 },
    trace: (who, what, detail = '') => lines.add({ ms: time.now() - simulationStart, who, what, detail })
  }
}
