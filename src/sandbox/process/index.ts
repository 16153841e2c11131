// Sandboxes as processes of this host: a private view of the arena that is quick to make, isolated as strictly as the host
// allows. What is visible inside: the system's programs and the toolchains, read-only; the arena's mounts; the tree; a
// private folder. Neither homes nor sockets nor the network.
//
// Isolation `none` is a private copy, a process group, limits and a deadline, and no wall: for hosts that have nothing
// better, and only for code that one would run anyway.

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'

import { systemClock } from '../../clock.ts'
import { SparError, toPlain } from '../../errors.ts'
import { createLimiter } from '../../limiter.ts'
import type { Clock, Sandbox, SandboxLimits, Sandboxes, SandboxSpec } from '../../ports.ts'
import { writeLease, type Lease } from '../lease.ts'
import { preparedMax, resolveLimits, startsPerCore } from '../limits.ts'
import { currentOwner, type Owner } from '../owner.ts'
import { openSession, type SandboxSession } from '../session.ts'
import { findToolchains } from '../toolchains.ts'
import { makeBase } from './base.ts'
import { findCgroups } from './cgroup.ts'
import { Groups, type Group } from './groups.ts'
import { ProcessHost, removeFolder, type Shared } from './host.ts'
import type { Isolation } from './launch.ts'
import { LayerStore } from './layers.ts'
import { Pipes } from './pipes.ts'
import { assertBash, chooseIsolation, type IsolationReport } from './probe.ts'
import { Prepared } from './prepared.ts'
import { ownerFile, reapProcessSandboxes } from './reap.ts'
import { findHostTools } from './tools.ts'

export interface ProcessSandboxesOptions {
  /** Spar's state folder. */
  home: string
  owner?: Owner
  isolation?: 'auto' | Isolation
  limits?: Partial<SandboxLimits>
  clock?: Clock
  /** How many sandboxes of a view are made ahead of time; 0: none. */
  prepared?: number
}

export async function createProcessSandboxes (options: ProcessSandboxesOptions): Promise<ProcessSandboxes> {
  const { clock = systemClock, owner = currentOwner(), isolation = 'auto', prepared = preparedMax } = options
  const limits = resolveLimits(options.limits)
  const tools = findHostTools()
  assertBash(tools.bash)
  const parent = join(resolve(options.home), 'sandboxes')
  mkdirSync(parent, { recursive: true })
  const folder = realpathSync(parent)
  const base = makeBase(folder)
  writeFileSync(join(base.folder, ownerFile), JSON.stringify(owner))
  try {
    const cgroups = findCgroups()
    const groups = cgroups === null ? null : new Groups(cgroups, base.folder, clock)
    const common = { groups, tools, base, layers: new LayerStore(join(folder, 'layers'), tools), toolchains: await findToolchains(), pipes: new Pipes(tools.mkfifo, join(base.folder, 'pipes')), clock }
    const { choice, report } = await chooseIsolation(isolation, common, cgroups?.version ?? null, base.folder)
    return new ProcessSandboxes({ ...common, ...choice }, { folder, owner, limits, report, prepared })
  } catch (error) {
    await removeFolder(base.folder)
    throw error
  }
}

/** What isolation a host offers, for `doctor`: nothing stays behind. */
export async function probeIsolation (home: string): Promise<IsolationReport> {
  mkdirSync(home, { recursive: true })
  const folder = mkdtempSync(join(home, '.probe-'))
  try {
    const sandboxes = await createProcessSandboxes({ home: folder })
    await sandboxes.close()
    return sandboxes.report
  } finally { await removeFolder(folder) }
}

interface Settings { folder: string; owner: Owner; limits: SandboxLimits; report: IsolationReport; prepared: number }

/** A session with the host below it, which the label is written to. */
interface Opened { session: SandboxSession; host: ProcessHost }

export class ProcessSandboxes implements Sandboxes {
  readonly kind = 'process'
  readonly report: IsolationReport
  readonly #shared: Shared
  readonly #settings: Settings
  readonly #open = new Map<string, SandboxSession | null>()
  /** In flight: whoever closes waits for them. */
  readonly #opening = new Set<Promise<Opened>>()
  readonly #starts = createLimiter(startsPerCore * availableParallelism())
  readonly #prepared: Prepared<Opened>
  #closing: Promise<void> | null = null

  constructor (shared: Shared, settings: Settings) {
    this.#shared = shared
    this.#settings = settings
    this.report = settings.report
    // Where a sandbox is a copy of the tree, one that may never be used takes its room on the disk.
    this.#prepared = new Prepared(shared.overlay === null ? 0 : settings.prepared, shared.clock, async spec => await this.#openNew({ ...spec, label: { run: '', purpose: 'prepared' } }))
  }

  async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    this.#assertOpen()
    if (signal?.aborted === true) throw new SparError('SANDBOX_ABORTED', 'Opening a sandbox was aborted', { retryable: true })
    const ready = this.#prepared.take(spec)
    if (ready === null) return (await this.#openNew(spec, signal)).session
    ready.host.relabel(spec.label)
    return ready.session
  }

  async #openNew (spec: SandboxSpec, signal?: AbortSignal): Promise<Opened> {
    const opening = this.#make(spec, signal)
    this.#opening.add(opening)
    try {
      return await opening
    } finally { this.#opening.delete(opening) }
  }

  async #make (spec: SandboxSpec, signal?: AbortSignal): Promise<Opened> {
    const id = randomBytes(6).toString('hex')
    this.#open.set(id, null)
    try {
      const { host, session } = await this.#starts.run(async () => {
        this.#assertOpen()
        const host = await this.#makeHost(id, spec)
        return { host, session: await openSession(host, this.#shared.clock, signal) }
      }, signal)
      session.onDestroyed = () => this.#open.delete(id)
      this.#open.set(id, session)
      if (this.#closing !== null) await session.destroy()
      return { session, host }
    } catch (error) {
      this.#open.delete(id)
      if (error instanceof SparError) throw error
      throw new SparError('SANDBOX_LOST', `Cannot open sandbox "${id}": ${toPlain(error).message}`, { retryable: true, data: { sandbox: id }, cause: error })
    }
  }

  async reap (): Promise<{ removed: string[] }> {
    const { folder, owner } = this.#settings
    return { removed: await reapProcessSandboxes(folder, owner, this.#shared.clock, id => this.#open.has(id)) }
  }

  async close (): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #makeHost (id: string, spec: SandboxSpec): Promise<ProcessHost> {
    const limits = resolveLimits(this.#settings.limits, spec.limits)
    const folder = join(this.#settings.folder, id)
    const lease: Lease = { id, run: spec.label.run, purpose: spec.label.purpose, owner: this.#settings.owner, openedAt: this.#shared.clock.now(), process: null, cgroups: [] }
    mkdirSync(folder, { mode: 0o755 })
    const { groups } = this.#shared
    let group: Group | null = null
    try {
      group = await groups?.take(limits) ?? null
      lease.cgroups = group?.folders ?? []
      writeLease(folder, lease)
      const host = new ProcessHost(this.#shared, { folder, spec, limits, lease, group })
      await host.prepare()
      return host
    } catch (error) {
      try {
        await removeFolder(folder)
      } finally {
        if (group !== null) await groups!.give(group)
      }
      throw error
    }
  }

  #assertOpen (): void {
    if (this.#closing !== null) throw new SparError('SANDBOX_CLOSED', 'Cannot open a sandbox: the sandboxes were closed')
  }

  /** What is still being opened destroys itself; what waits for its turn is refused. */
  async #close (): Promise<void> {
    await this.#prepared.close()
    await Promise.all([Promise.allSettled(this.#opening), ...[...this.#open.values()].map(session => session?.destroy())])
    await this.#shared.groups?.close()
    await removeFolder(this.#shared.base.folder)
  }
}
