// Sandboxes as containers of a Docker engine, made from an arena's pinned image. The tree is used in place, where the
// image has it: packages installed from there keep working. Leases are labels; the reaper reads them back.

import type Docker from 'dockerode'
import { randomBytes } from 'node:crypto'

import { systemClock } from '../../clock.ts'
import { SparError, toPlain } from '../../errors.ts'
import type { Clock, Sandbox, SandboxLimits, Sandboxes, SandboxSpec } from '../../ports.ts'
import { isAbandoned } from '../lease.ts'
import { resolveLimits } from '../limits.ts'
import { currentOwner, type Owner } from '../owner.ts'
import { openSession, type SandboxSession } from '../session.ts'
import type { ContainerPlan } from './config.ts'
import { createEngine, type Engine } from './engine.ts'
import { DockerHost, mainCommand } from './host.ts'

export interface DockerSandboxesOptions {
  /** The engine of the environment (DOCKER_HOST, else the usual socket) when it is left out. */
  docker?: Docker | Engine
  home: string
  owner?: Owner
  limits?: Partial<SandboxLimits>
  clock?: Clock
}

interface ContainerLease { owner: Owner; openedAt: number }

const namePrefix = 'spar-'
const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The engine of the environment, if it answers soon. */
export async function findEngine (): Promise<Engine | null> {
  const engine = createEngine()
  return await engine.ping() ? engine : null
}

export async function createDockerSandboxes (options: DockerSandboxesOptions): Promise<Sandboxes> {
  const { docker, owner = currentOwner(), clock = systemClock } = options
  const engine = docker !== undefined && 'list' in docker && 'state' in docker ? docker as Engine : createEngine(docker as Docker | undefined)
  if (!await engine.ping()) throw new SparError('SANDBOX_NO_ENGINE', 'Cannot open Docker sandboxes: the engine does not answer. Start Docker, or use process sandboxes', { retryable: true })
  return new DockerSandboxes(engine, { owner, clock, limits: resolveLimits(options.limits) })
}

class DockerSandboxes implements Sandboxes {
  readonly kind = 'docker'
  readonly #engine: Engine
  readonly #settings: { owner: Owner; clock: Clock; limits: SandboxLimits }
  readonly #open = new Map<string, SandboxSession | null>()
  readonly #users = new Map<string, string>()
  #closing: Promise<void> | null = null

  constructor (engine: Engine, settings: { owner: Owner; clock: Clock; limits: SandboxLimits }) {
    this.#engine = engine
    this.#settings = settings
  }

  async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    if (this.#closing !== null) throw new SparError('SANDBOX_CLOSED', 'Cannot open a sandbox: the sandboxes were closed')
    if (signal?.aborted === true) throw new SparError('SANDBOX_ABORTED', 'Opening a sandbox was aborted', { retryable: true })
    const name = namePrefix + randomBytes(6).toString('hex')
    this.#open.set(name, null)
    try {
      const plan = await this.#plan(name, spec)
      const container = await this.#engine.create(plan)
      const session = await openSession(new DockerHost(this.#engine, this.#settings.clock, container, plan), this.#settings.clock, signal)
      session.onDestroyed = () => this.#open.delete(name)
      this.#open.set(name, session)
      if (this.#closing !== null) await session.destroy()
      return session
    } catch (error) {
      this.#open.delete(name)
      if (error instanceof SparError) throw error
      throw new SparError('SANDBOX_LOST', `Cannot open sandbox "${name}": ${toPlain(error).message}`, { retryable: true, data: { sandbox: name }, cause: error })
    }
  }

  async reap (): Promise<{ removed: string[] }> {
    const { owner, clock } = this.#settings
    const removed: string[] = []
    for (const { id, lease: text } of await this.#engine.list()) {
      const lease = parseLease(text)
      // Without a lease that can be read nothing says whose it is: better a leak than a neighbour's run.
      if (lease === null || !isAbandoned(lease, owner, clock.now())) continue
      await this.#engine.remove(id)
      removed.push(`container ${id.slice(0, 12)}`)
    }
    return { removed }
  }

  async close (): Promise<void> {
    this.#closing ??= Promise.all([...this.#open.values()].map(session => session?.destroy())).then(() => {})
    await this.#closing
  }

  async #plan (name: string, spec: SandboxSpec): Promise<ContainerPlan> {
    const { arena } = spec
    if (arena.image === null || arena.imagePath === null) {
      throw new SparError('SANDBOX_NO_IMAGE', `Cannot open a Docker sandbox for ${arena.target}: the arena has no image. Open it as docker:<image>#/<path>, or use process sandboxes`)
    }
    const { owner, clock, limits } = this.#settings
    const tree = arena.imagePath
    const env = Object.entries(arena.env).map(([key, value]) => [key, value.replaceAll('{tree}', tree)])
    const lease: ContainerLease = { owner, openedAt: clock.now() }
    return {
      name,
      image: arena.image,
      user: await this.#userOf(arena.image),
      command: mainCommand(spec, tree),
      env: { PATH: [...arena.path, standardPath].join(':'), ...standardEnvironment, ...Object.fromEntries(env) },
      tree,
      isEmpty: spec.view === 'empty',
      network: spec.network,
      limits: resolveLimits(limits, spec.limits),
      lease: JSON.stringify(lease),
      run: spec.label.run,
      purpose: spec.label.purpose
    }
  }

  /** Also says, before a container fails to be made, that the image is not there. */
  async #userOf (image: string): Promise<string> {
    const known = this.#users.get(image)
    if (known !== undefined) return known
    const found = await this.#engine.image(image)
    if (found === null) throw new SparError('SANDBOX_NO_IMAGE', `Cannot open a Docker sandbox: the engine does not have the image ${image}. Pull or build it first`)
    this.#users.set(image, found.user)
    return found.user
  }
}

const standardEnvironment = {
  HOME: '/tmp/home',
  USER: 'spar',
  LOGNAME: 'spar',
  SHELL: '/bin/bash',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  TMPDIR: '/tmp',
  CI: '1',
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONHASHSEED: '0'
}

function parseLease (text: string): ContainerLease | null {
  try {
    const lease = JSON.parse(text) as ContainerLease
    return typeof lease.owner?.pid === 'number' && typeof lease.openedAt === 'number' ? lease : null
  } catch { return null }
}
