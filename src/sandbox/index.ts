// Sandboxes for whoever wants one: Docker where an engine answers that can hold the arena, else processes of this host.

import { SparError } from '../errors.ts'
import type { Clock, SandboxLimits, Sandboxes } from '../ports.ts'
import { createDockerSandboxes, findEngine } from './docker/index.ts'
import type { Owner } from './owner.ts'
import { createProcessSandboxes } from './process/index.ts'
import type { Isolation } from './process/launch.ts'

export { createDockerSandboxes, removeArenaImages } from './docker/index.ts'
export { createProcessSandboxes, probeIsolation } from './process/index.ts'
export type { IsolationReport } from './process/probe.ts'
export { defaultSandboxLimits } from './limits.ts'
export { currentOwner, type Owner } from './owner.ts'

export interface SandboxesOptions {
  kind: 'auto' | 'docker' | 'process'
  /** Where the arena lives. A directory takes an engine that sees this host's files; nothing is asked of it for an image. */
  place?: 'directory' | 'image'
  /** Spar's state folder. */
  home: string
  owner?: Owner
  limits?: Partial<SandboxLimits>
  clock?: Clock
  /** For `process`. */
  isolation?: 'auto' | Isolation
  /** For `docker`, which it asks for: by its name in the engine. */
  runtime?: string
  /** Starts over time, of whichever kind (default: by kind and cores). */
  startsPerSecond?: number
}

export async function createSandboxes (options: SandboxesOptions): Promise<Sandboxes> {
  const { kind: asked, isolation, runtime, place = 'image', ...common } = options
  if (runtime !== undefined && asked === 'process') throw new SparError('SANDBOX_NO_RUNTIME', `Cannot open process sandboxes with the runtime "${runtime}": runtimes run containers. Use --sandbox docker, or leave --runtime out`)
  // Whoever names a runtime does not want less where it is not to be had.
  const kind = runtime === undefined ? asked : 'docker'
  const engine = kind === 'process' ? null : await findEngine()
  if (engine !== null) {
    const docker = await createDockerSandboxes({ ...common, docker: engine, ...(runtime === undefined ? {} : { runtime }) })
    const refusal = place === 'image' ? null : await docker.assertSeesHost().then(() => null, (error: unknown) => error)
    if (refusal === null) return docker
    if (kind === 'docker' || !(refusal instanceof SparError)) throw refusal
  } else if (kind === 'docker') {
    throw new SparError('SANDBOX_NO_ENGINE', 'Cannot open Docker sandboxes: no engine answers. Start Docker (or set DOCKER_HOST to where it listens), or use process sandboxes')
  }
  return await createProcessSandboxes({ ...common, ...(isolation === undefined ? {} : { isolation }) })
}
