// Sandboxes as processes of this host: a private view of the arena that is quick to make, isolated as strictly as the host
// allows. What is visible inside: the system's programs and the toolchains, read-only; the arena's mounts; the tree; a
// private folder. Neither homes nor sockets nor the network.
//
// Isolation `none` is a private copy, a process group, limits and a deadline, and no wall: for hosts that have nothing
// better, and only for code that one would run anyway.

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { systemClock } from '../../clock.ts'
import type { Clock, Sandbox, SandboxLimits, Sandboxes, SandboxSpec } from '../../ports.ts'
import { writeLease, type Lease } from '../lease.ts'
import { preparedMax, resolveLimits } from '../limits.ts'
import { Openings } from '../openings.ts'
import { currentOwner, type Owner } from '../owner.ts'
import { openSession } from '../session.ts'
import { startsOf, type Starts } from '../starts.ts'
import { findToolchains } from '../toolchains.ts'
import { makeBase } from './base.ts'
import { findCgroups } from './cgroup.ts'
import { Groups, type Group } from './groups.ts'
import { ProcessHost, removeFolder, type Shared } from './host.ts'
import type { Isolation } from './launch.ts'
import { LayerStore } from './layers.ts'
import { Pipes } from './pipes.ts'
import { assertBash, chooseIsolation, type IsolationReport } from './probe.ts'
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
  /** Starts over time (default: `startsPerSecondPerCore`). */
  startsPerSecond?: number
}

export async function createProcessSandboxes (options: ProcessSandboxesOptions): Promise<ProcessSandboxes> {
  const { clock = systemClock, owner = currentOwner(), isolation = 'auto', prepared = preparedMax, startsPerSecond } = options
  const limits = resolveLimits(options.limits)
  const starts = startsOf('process', clock, startsPerSecond)
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
    return new ProcessSandboxes({ ...common, ...choice }, { folder, owner, limits, report, prepared, starts })
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

interface Settings { folder: string; owner: Owner; limits: SandboxLimits; report: IsolationReport; prepared: number; starts: Starts }

export class ProcessSandboxes implements Sandboxes {
  readonly kind = 'process'
  readonly report: IsolationReport
  readonly #shared: Shared
  readonly #settings: Settings
  readonly #openings: Openings
  #closing: Promise<void> | null = null

  constructor (shared: Shared, settings: Settings) {
    this.#shared = shared
    this.#settings = settings
    this.report = settings.report
    this.#openings = new Openings({
      clock: shared.clock,
      starts: settings.starts,
      // Where a sandbox is a copy of the tree, one that may never be used takes its room on the disk.
      prepared: shared.overlay === null ? 0 : settings.prepared,
      newId: () => randomBytes(6).toString('hex'),
      make: async (id, spec, signal) => await openSession(await this.#makeHost(id, spec), shared.clock, signal)
    })
  }

  async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    return await this.#openings.open(spec, signal)
  }

  async reap (): Promise<{ removed: string[] }> {
    const { folder, owner } = this.#settings
    return { removed: await reapProcessSandboxes(folder, owner, this.#shared.clock, id => this.#openings.holds(id)) }
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

  async #close (): Promise<void> {
    try {
      await this.#openings.close()
    } finally {
      await this.#shared.groups?.close()
      await removeFolder(this.#shared.base.folder)
    }
  }
}
