// What the parts of a node share: the bus and what is built on it, and the capabilities that work is done with.

import type { Bus } from '../../src/bus/types.ts'
import type { HeldArenas } from '../../src/cluster/arenas.ts'
import type { Holder } from '../../src/cluster/holder.ts'
import type { clusterLimits } from '../../src/cluster/limits.ts'
import type { Records } from '../../src/cluster/records.ts'
import type { Retry } from '../../src/cluster/retry.ts'
import type { Runs } from '../../src/cluster/runs.ts'
import type { Role } from '../../src/domain.ts'
import type { Metrics } from '../../src/metrics/types.ts'
import type { WorkWatch } from '../../src/rollout/watch.ts'
import type { Clock, Policy, Sandboxes } from '../../src/ports.ts'
import type { Registry } from '../../src/inspect/registry.ts'
import type { RunOptions } from '../../src/run/options.ts'
import type { VerifyPorts } from '../../src/verify/types.ts'
import type { TrainerWait } from '../../src/cluster/wait-for-trainer.ts'
import type { WorkHandlers } from '../work/types.ts'

/** What a node can do, handed in by the edge. */
export interface NodePorts {
  clock: Clock
  sandboxes: Sandboxes
  verify: VerifyPorts
  /** The policies that a run names; the same for the same options. */
  policiesOf: (options: RunOptions) => Promise<Record<Role, Policy>>
  handlers?: WorkHandlers
  /** Another one every time, on every node. */
  newId: () => string
  /** Who looks on while rollouts of a run are played. */
  watch?: ((run: { name: string; submittedAt: number }) => WorkWatch | undefined) | undefined
  metrics?: Metrics | undefined
  /** Where actors are made known. */
  registry?: Registry | undefined
}

export interface NodeSystem {
  nodeId: string
  bus: Bus
  retry: Retry
  records: Records
  holder: Holder
  runs: Runs
  arenas: HeldArenas
  /** Runs led here that wait for their trainers. */
  waits: Map<string, TrainerWait>
  ports: NodePorts
  limits: typeof clusterLimits
  /** Aborts what runs, when draining has taken too long. */
  aborting: AbortSignal
}
