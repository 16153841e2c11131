// What whoever does a piece of work is handed.

import type { Delivery, WorkKind } from '../../src/bus/work.ts'
import type { Arena, Role } from '../../src/domain.ts'
import type { Clock, Policy, Sandboxes } from '../../src/ports.ts'
import type { Registry } from '../../src/inspect/registry.ts'
import type { RunOptions } from '../../src/run/options.ts'
import type { WorkWatch } from '../../src/rollout/watch.ts'
import type { EpisodeStore, WorkOutput } from '../../src/store/episodes.ts'
import type { VerifyPorts } from '../../src/verify/types.ts'

export interface WorkPorts { clock: Clock; sandboxes: Sandboxes; verify: VerifyPorts; policies: Record<Role, Policy>; watch?: WorkWatch | undefined; /** Where actors are made known. */ registry?: Registry | undefined }

/** The run and the arena that work belongs to, and what it is done with. */
export interface Workplace { options: RunOptions; arena: Arena; ports: WorkPorts; store: EpisodeStore }

export type WorkHandler<Result = unknown> = (place: Workplace, delivery: Delivery) => Promise<WorkOutput<Result>>
export type WorkHandlers = Record<WorkKind, WorkHandler>
