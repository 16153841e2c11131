// Sandboxes as containers of a Docker engine. Leases are labels; the reaper reads them back. Two kinds of arena:
//   one that lives in an image is played in that image, pinned by its digest. The tree is used in place, where the image has
//     it: packages installed from there keep working.
//   one that lives in a directory gets an image of its tree (images.ts), and the programs of this host, read-only (binds.ts).
//     That takes an engine that sees this host's files (sight.ts).

import type Docker from 'dockerode'
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'

import { systemClock } from '../../clock.ts'
import { SparError, toPlain } from '../../errors.ts'
import { createLimiter } from '../../limiter.ts'
import type { Clock, Sandbox, SandboxLimits, Sandboxes, SandboxSpec } from '../../ports.ts'
import { isAbandoned } from '../lease.ts'
import { resolveLimits, startsPerCore } from '../limits.ts'
import { currentOwner, type Owner } from '../owner.ts'
import { openSession, type SandboxSession } from '../session.ts'
import { describeSystem, scratchPath, standardEnvironment, standardPath, treePath, type System } from '../system.ts'
import { findToolchains, type Toolchains } from '../toolchains.ts'
import { hostBinds, type Bind } from './binds.ts'
import type { ContainerPlan } from './config.ts'
import { createEngine, type Engine } from './engine.ts'
import { DockerHost, imageEmptyPath, imageScratchPath, mainCommand, withoutHistory } from './host.ts'
import { ArenaImages, containerIds, removeStaleImages } from './images.ts'
import { assertSeesHost } from './sight.ts'

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
const imageStandardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The engine of the environment, if it answers soon. */
export async function findEngine (): Promise<Engine | null> {
  const engine = createEngine()
  return await engine.ping() ? engine : null
}

/** Removes the images that were made of arenas which are no more, if an engine answers. */
export async function removeArenaImages (): Promise<void> {
  const engine = await findEngine()
  if (engine !== null) await removeStaleImages(engine, currentOwner().machine)
}

export async function createDockerSandboxes (options: DockerSandboxesOptions): Promise<DockerSandboxes> {
  const { docker, owner = currentOwner(), clock = systemClock } = options
  const engine = docker !== undefined && 'list' in docker && 'state' in docker ? docker as Engine : createEngine(docker as Docker | undefined)
  if (!await engine.ping()) throw new SparError('SANDBOX_NO_ENGINE', 'Cannot open Docker sandboxes: the engine does not answer. Start Docker, or use process sandboxes', { retryable: true })
  return new DockerSandboxes(engine, { home: options.home, owner, clock, limits: resolveLimits(options.limits) })
}

interface Settings { home: string; owner: Owner; clock: Clock; limits: SandboxLimits }

/** What a container for a directory takes from this host. */
interface HostSide { system: System; toolchains: Toolchains; images: ArenaImages }

type Place = Pick<ContainerPlan, 'image' | 'user' | 'command' | 'tree' | 'scratch' | 'binds' | 'covered'> & { path: string[] }

export class DockerSandboxes implements Sandboxes {
  readonly kind = 'docker'
  readonly #engine: Engine
  readonly #settings: Settings
  readonly #open = new Map<string, SandboxSession | null>()
  readonly #images = new Map<string, { user: string; volumes: string[] }>()
  readonly #starts = createLimiter(startsPerCore * availableParallelism())
  #hostSide: Promise<HostSide> | null = null
  #closing: Promise<void> | null = null

  constructor (engine: Engine, settings: Settings) {
    this.#engine = engine
    this.#settings = settings
  }

  /** Throws SANDBOX_ENGINE_ELSEWHERE when no arena that lives in a directory can be played with this engine. Asked once. */
  async assertSeesHost (): Promise<void> {
    await this.#host()
  }

  async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    if (this.#closing !== null) throw new SparError('SANDBOX_CLOSED', 'Cannot open a sandbox: the sandboxes were closed')
    if (signal?.aborted === true) throw new SparError('SANDBOX_ABORTED', 'Opening a sandbox was aborted', { retryable: true })
    const name = namePrefix + randomBytes(6).toString('hex')
    this.#open.set(name, null)
    try {
      const session = await this.#starts.run(async () => await this.#start(name, spec, signal), signal)
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

  async #start (name: string, spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxSession> {
    const plan = await this.#plan(name, spec)
    const container = await this.#engine.create(plan).catch(async error => {
      await this.#hostSide?.then(({ images }) => images.forget(), () => {})
      throw error
    })
    return await openSession(new DockerHost(this.#engine, this.#settings.clock, container, plan), this.#settings.clock, signal)
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
    removed.push(...await removeStaleImages(this.#engine, owner.machine))
    return { removed }
  }

  async close (): Promise<void> {
    this.#closing ??= Promise.all([...this.#open.values()].map(session => session?.destroy())).then(() => {})
    await this.#closing
  }

  async #plan (name: string, spec: SandboxSpec): Promise<ContainerPlan> {
    const place = spec.arena.image === null ? await this.#inDirectory(spec) : await this.#inImage(spec, spec.arena.image)
    const env = Object.entries(spec.arena.env).map(([key, value]) => [key, value.replaceAll('{tree}', place.tree)])
    const { path, ...about } = place
    return {
      ...about,
      ...this.#common(name, spec),
      env: { PATH: [...spec.arena.path, ...path].join(':'), ...standardEnvironment('/tmp'), ...Object.fromEntries(env) }
    }
  }

  #common (name: string, { network, limits, label }: Pick<SandboxSpec, 'network' | 'limits' | 'label'>): Pick<ContainerPlan, 'name' | 'network' | 'limits' | 'lease' | 'run' | 'purpose'> {
    const { owner, clock } = this.#settings
    const lease: ContainerLease = { owner, openedAt: clock.now() }
    return { name, network, limits: resolveLimits(this.#settings.limits, limits), lease: JSON.stringify(lease), run: label.run, purpose: label.purpose }
  }

  async #inImage ({ arena, view }: SandboxSpec, image: string): Promise<Place> {
    const tree = arena.imagePath
    if (tree === null) throw new SparError('SANDBOX_NO_IMAGE', `Cannot open a Docker sandbox for ${arena.target}: nothing says where the image ${image} has its tree. Open it as docker:<image>#/<path>`)
    const { user, volumes } = await this.#about(image)
    const about = { image, user, scratch: imageScratchPath, binds: [], path: [imageStandardPath] }
    if (view === 'empty') return { ...about, tree: imageEmptyPath, command: mainCommand(imageScratchPath, [`mkdir -p ${imageEmptyPath} || exit 71`]), covered: [tree, ...volumes] }
    const around = volumes.find(volume => `${tree}/`.startsWith(`${volume}/`))
    if (around !== undefined) throw new SparError('SANDBOX_NO_IMAGE', `Cannot open a Docker sandbox for ${arena.target}: its tree is in ${around}, which the image declares a volume. Nothing limits what is written there: make the image without VOLUME`)
    return { ...about, tree, command: mainCommand(imageScratchPath, view === 'tree' ? [withoutHistory(tree)] : []), covered: volumes }
  }

  async #inDirectory ({ arena, view }: SandboxSpec): Promise<Place> {
    const { system, toolchains, images } = await this.#host()
    const binds = hostBinds(system, [...arena.mounts, ...toolchains.mounts])
    return { ...this.#ownPlace(await images.get(arena, view), binds, mainCommand(scratchPath)), path: [...toolchains.path, ...standardPath] }
  }

  /** In an image of ours, whose /sbin is the host's and cannot hold a process of the engine. */
  #ownPlace (image: string, binds: Bind[], command: string[]): Omit<Place, 'path'> {
    const { uid, gid } = containerIds()
    return { image, user: `${uid}:${gid}`, command, tree: treePath, scratch: scratchPath, binds, covered: [] }
  }

  async #host (): Promise<HostSide> {
    this.#hostSide ??= this.#findHost()
    const asked = this.#hostSide
    asked.catch(() => { if (this.#hostSide === asked) this.#hostSide = null })
    return await asked
  }

  async #findHost (): Promise<HostSide> {
    const { home, owner, clock } = this.#settings
    const system = describeSystem()
    const images = new ArenaImages(this.#engine, { home, owner, system })
    const plan = async (binds: Bind[], command: string[]): Promise<ContainerPlan> => ({
      ...this.#ownPlace(await images.empty(), [...hostBinds(system, []), ...binds], command),
      ...this.#common(namePrefix + randomBytes(6).toString('hex'), { network: 'none', label: { run: '', purpose: 'sight' } }),
      env: { PATH: standardPath.join(':') }
    })
    const [toolchains] = await Promise.all([findToolchains(), assertSeesHost({ engine: this.#engine, home, owner, clock, plan })])
    return { system, toolchains, images }
  }

  /** Also says, before a container fails to be made, that the image is not there. */
  async #about (image: string): Promise<{ user: string; volumes: string[] }> {
    const known = this.#images.get(image)
    if (known !== undefined) return known
    const found = await this.#engine.image(image)
    if (found === null) throw new SparError('SANDBOX_NO_IMAGE', `Cannot open a Docker sandbox: the engine does not have the image ${image}. Pull or build it first`)
    this.#images.set(image, found)
    return found
  }
}

function parseLease (text: string): ContainerLease | null {
  try {
    const lease = JSON.parse(text) as ContainerLease
    return typeof lease.owner?.pid === 'number' && typeof lease.openedAt === 'number' ? lease : null
  } catch { return null }
}
