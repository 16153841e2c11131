// Sandboxes for whoever wants one: Docker where an engine answers, else processes of this host.

import { SparError } from '../errors.ts'
import type { Clock, SandboxLimits, Sandboxes } from '../ports.ts'
import { createDockerSandboxes, findEngine } from './docker/index.ts'
import type { Owner } from './owner.ts'
import { createProcessSandboxes } from './process/index.ts'
import type { Isolation } from './process/launch.ts'

export { createDockerSandboxes } from './docker/index.ts'
export { createProcessSandboxes, probeIsolation } from './process/index.ts'
export type { IsolationReport } from './process/probe.ts'
export { defaultSandboxLimits } from './limits.ts'
export { currentOwner, type Owner } from './owner.ts'

export interface SandboxesOptions {
  kind: 'auto' | 'docker' | 'process'
  /** Spar's state folder. */
  home: string
  owner?: Owner
  limits?: Partial<SandboxLimits>
  clock?: Clock
  /** For `process`. */
  isolation?: 'auto' | Isolation
}

export async function createSandboxes (options: SandboxesOptions): Promise<Sandboxes> {
  const { kind, isolation, ...common } = options
  const docker = kind === 'process' ? null : await findEngine()
  if (docker !== null) return await createDockerSandboxes({ ...common, docker })
  if (kind === 'docker') {
    throw new SparError('SANDBOX_NO_ENGINE', 'Cannot open Docker sandboxes: no engine answers. Start Docker (or set DOCKER_HOST to where it listens), or use process sandboxes')
  }
  return await createProcessSandboxes({ ...common, ...(isolation === undefined ? {} : { isolation }) })
}
