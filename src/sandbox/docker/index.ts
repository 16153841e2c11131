// Sandboxes as containers of a Docker engine. A label says who owns a container, so that a reaper finds it wherever
// SPAR_HOME is; a label cannot be changed, so who has it stands in a lease in SPAR_HOME, as of a process sandbox. Two kinds of arena:
//   one that lives in an image is played in that image, pinned by its digest. The tree is used in place, where the image has
//     it: packages installed from there keep working.
//   one that lives in a directory gets an image of its tree (images.ts), and the programs of this host, read-only (binds.ts).
//     That takes an engine that sees this host's files (sight.ts).

import type Docker from 'dockerode'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { systemClock } from '../../clock.ts'
import { SparError } from '../../errors.ts'
import type { Clock, Sandbox, SandboxLimits, Sandboxes, SandboxSpec } from '../../ports.ts'
import { isAbandoned, writeLease, type Lease } from '../lease.ts'
import { preparedMax, resolveLimits, startMsMax } from '../limits.ts'
import { Openings } from '../openings.ts'
import { currentOwner, type Owner } from '../owner.ts'
import { reapProcessSandboxes } from '../process/reap.ts'
import { openSession } from '../session.ts'
import { startsOf, type Starts } from '../starts.ts'
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
  /** How many sandboxes of a view are made ahead of time; 0: none. */
  prepared?: number
  /** Starts over time (default: `startsPerSecondPerCore`). */
  startsPerSecond?: number
  /** Of the engine's own list (`runsc`, `kata`); the engine's default when it is left out. */
  runtime?: string
}

/** As a label: who owns the container. */
interface ContainerLease { owner: Owner; openedAt: number }

const keptMark = '.kept'
const newName = (): string => `spar-${randomBytes(6).toString('hex')}`
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
  if (options.runtime !== undefined) await assertRuntime(engine, options.runtime)
  return new DockerSandboxes(engine, {
    owner, clock,
    home: options.home,
    folder: join(resolve(options.home), 'sandboxes'),
    limits: resolveLimits(options.limits),
    prepared: options.prepared ?? preparedMax,
    starts: startsOf('docker', clock, options.startsPerSecond),
    runtime: options.runtime ?? null
  })
}

async function assertRuntime (engine: Engine, runtime: string): Promise<void> {
  const { names } = await engine.runtimes()
  if (names.includes(runtime)) return
  throw new SparError('SANDBOX_NO_RUNTIME', `Cannot open Docker sandboxes with the runtime "${runtime}": the engine knows ${names.join(', ')}. Name one of these, or register it under "runtimes" in the engine's daemon.json and have the engine read that again`, { data: { runtime, runtimes: names } })
}

interface Settings { home: string; folder: string; owner: Owner; clock: Clock; limits: SandboxLimits; prepared: number; starts: Starts; runtime: string | null }

/** What a container for a directory takes from this host. */
interface HostSide { system: System; toolchains: Toolchains; images: ArenaImages }

type Place = Pick<ContainerPlan, 'image' | 'user' | 'command' | 'tree' | 'scratch' | 'binds' | 'covered'> & { path: string[] }

export class DockerSandboxes implements Sandboxes {
  readonly kind = 'docker'
  readonly #engine: Engine
  readonly #settings: Settings
  readonly #openings: Openings
  readonly #images = new Map<string, { user: string; volumes: string[] }>()
  #hostSide: Promise<HostSide> | null = null
  #keeping: Promise<void> | null = null

  constructor (engine: Engine, settings: Settings) {
    this.#engine = engine
    this.#settings = settings
    const { clock, starts, prepared } = settings
    this.#openings = new Openings({
      clock, starts, prepared,
      newId: newName,
      make: async (name, spec, signal) => {
        await this.#assertKeepsFiles(spec)
        return await openSession(await this.#makeHost(name, spec), clock, signal)
      }
    })
  }

  /** Throws SANDBOX_ENGINE_ELSEWHERE when no arena that lives in a directory can be played with this engine. Asked once. */
  async assertSeesHost (): Promise<void> {
    await this.#host()
  }

  async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    return await this.#openings.open(spec, signal)
  }

  /** Containers first: a lease of ours outlives its container, never the other way round. */
  async reap (): Promise<{ removed: string[] }> {
    const { folder, owner, clock } = this.#settings
    const removed: string[] = []
    for (const { id, lease: text } of await this.#engine.list()) {
      const lease = parseLease(text)
      // Without a lease that can be read nothing says whose it is: better a leak than a neighbour's run.
      if (lease === null || !isAbandoned(lease, owner, clock.now())) continue
      // One that cannot be removed now is the next reaper's, and keeps none of the others.
      if (await this.#engine.remove(id).then(() => true, () => false)) removed.push(`container ${id.slice(0, 12)}`)
    }
    if (existsSync(folder)) removed.push(...await reapProcessSandboxes(folder, owner, clock, id => this.#openings.holds(id)))
    removed.push(...await removeStaleImages(this.#engine, owner.machine))
    return { removed }
  }

  async close (): Promise<void> {
    await this.#openings.close()
  }

  /**
   * A killed command is a container that is started again. The engine's own runtime keeps what was written; another may keep
   * it in memory only, and a rollout would go on with its work undone. Tried once.
   */
  async #assertKeepsFiles (spec: SandboxSpec): Promise<void> {
    if (this.#settings.runtime === null) return
    this.#keeping ??= this.#tryKeeping(spec, this.#settings.runtime)
    const asked = this.#keeping
    asked.catch(() => { if (this.#keeping === asked) this.#keeping = null })
    await asked
  }

  async #tryKeeping (spec: SandboxSpec, runtime: string): Promise<void> {
    const session = await openSession(await this.#makeHost(newName(), { ...spec, label: { run: '', purpose: 'probe' } }), this.#settings.clock)
    try {
      const options = { timeoutMs: startMsMax, outputBytesMax: 1024 }
      const { exitCode: made } = await session.exec(`: >${session.scratch}/${keptMark}; exit`, options)
      const { exitCode } = await session.exec(`[ -e ${session.scratch}/${keptMark} ]`, options)
      if (made !== 0 || exitCode === null) throw new SparError('SANDBOX_LOST', `Cannot tell whether the runtime "${runtime}" keeps what a container wrote: its probe did not end`, { retryable: true })
      if (exitCode !== 0) throw new SparError('SANDBOX_RUNTIME_FORGETS', `Cannot open Docker sandboxes with the runtime "${runtime}": a container that is started again has lost what it wrote. gVisor keeps it with --overlay2=none among its runtimeArgs`, { data: { runtime } })
    } finally { await session.destroy() }
  }

  async #makeHost (name: string, spec: SandboxSpec): Promise<DockerHost> {
    const { folder, owner, clock } = this.#settings
    const plan = await this.#plan(name, spec)
    const own = join(folder, name)
    const { run, purpose } = spec.label
    const lease: Lease = { id: name, run, purpose, owner, openedAt: clock.now(), process: null, cgroups: [] }
    try {
      mkdirSync(own, { recursive: true })
      writeLease(own, lease)
      return new DockerHost({ engine: this.#engine, clock, container: await this.#engine.create(plan), plan, folder: own, lease })
    } catch (error) {
      // The engine may have made it and lost its answer.
      await this.#engine.remove(plan.name).catch(() => {})
      await rm(own, { recursive: true, force: true })
      await this.#hostSide?.then(({ images }) => images.forget(), () => {})
      throw error
    }
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

  #common (name: string, { network, limits }: Pick<SandboxSpec, 'network' | 'limits'>): Pick<ContainerPlan, 'name' | 'network' | 'limits' | 'lease' | 'runtime'> {
    const { owner, clock, runtime } = this.#settings
    const lease: ContainerLease = { owner, openedAt: clock.now() }
    return { name, network, runtime, limits: resolveLimits(this.#settings.limits, limits), lease: JSON.stringify(lease) }
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
      ...this.#common(newName(), { network: 'none' }),
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
