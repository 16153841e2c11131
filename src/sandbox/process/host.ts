// One process sandbox: its folder, its view of the arena, its limits, and how its shell is started and everything removed.
//
// In the folder: upper, work-N (of an overlay), tree (a copy, where there is none), scratch, tmp, mounts (the table for
// namespaces), lease.json. No more: some file systems make folders slowly where many were removed lately.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, chmodSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { Clock, SandboxLimits, SandboxSpec } from '../../ports.ts'
import type { Held, Room } from '../disk.ts'
import { writeLease, type Lease } from '../lease.ts'
import { processStartedAt } from '../owner.ts'
import type { SandboxHost } from '../session.ts'
import type { Channel } from '../shell.ts'
import { outermost, rootModeId, scratchPath, standardEnvironment, standardPath, treePath } from '../system.ts'
import type { Toolchains } from '../toolchains.ts'
import { makeNetworkEtc, nameInBase, type Base } from './base.ts'
import type { Group, Groups } from './groups.ts'
import { openChannel } from './channel.ts'
import { copyTree, type LayerStore } from './layers.ts'
import { commandLine, markName, mountTable, type Isolation, type LaunchPlan } from './launch.ts'
import type { Pipes } from './pipes.ts'
import { sweepMarked } from './processes.ts'
import type { HostTools } from './tools.ts'

const run = promisify(execFile)

/** What all sandboxes of one `createProcessSandboxes` share. */
export interface Shared {
  tools: HostTools
  base: Base
  layers: LayerStore
  toolchains: Toolchains
  pipes: Pipes
  clock: Clock
  groups: Groups | null
  isolation: Isolation
  overlay: { volatile: boolean } | null
  /** Spar is root and the sandboxes are isolated: what runs in them gets an id of its own. */
  asRoot: boolean
  userNamespace: boolean
}

export interface HostOptions { folder: string; spec: SandboxSpec; limits: SandboxLimits; lease: Lease; group: Group | null }

export class ProcessHost implements SandboxHost {
  readonly id: string
  readonly kind = 'process'
  readonly isolation: Isolation
  readonly tree: string
  readonly scratch: string
  readonly shellLimits: SandboxHost['shellLimits']
  readonly limits: SandboxLimits
  readonly #shared: Shared
  readonly #options: HostOptions
  #group: Group | null
  #lower: string[] = []
  #launches = 0

  constructor (shared: Shared, options: HostOptions) {
    this.#shared = shared
    this.#options = options
    this.#group = options.group
    this.limits = options.limits
    const folder = options.folder
    const isOpen = shared.isolation === 'none'
    this.id = options.lease.id
    this.isolation = shared.isolation
    this.tree = isOpen ? join(folder, 'tree') : treePath
    this.scratch = isOpen ? join(folder, 'scratch') : scratchPath
    // Only in a user namespace of its own does the limit count the sandbox's processes and not all of the same user.
    const counts = !isOpen && (!shared.asRoot || (shared.isolation === 'namespaces' && shared.userNamespace))
    this.shellLimits = { fileBytes: options.limits.fileBytes, pids: counts ? options.limits.pids : null }
  }

  /** Makes the folder's content. */
  async prepare (): Promise<void> {
    const { folder, spec } = this.#options
    const { layers, base, asRoot, overlay, tools, isolation } = this.#shared
    for (const name of ['scratch', 'tmp', 'tmp/home']) this.#makeOwned(join(folder, name))
    if (spec.view === 'empty') return this.#makeOwned(join(folder, 'tree'))
    const withGit = spec.view === 'history'
    const from = await layers.get(spec.arena, asRoot, withGit)
    if (isolation !== 'none' && overlay !== null) {
      this.#lower = [...(withGit ? [from.git] : []), from.tree].map(path => nameInBase(base, path))
      return this.#makeOwned(join(folder, 'upper'), modeOf(from.tree))
    }
    await copyTree(tools, from.tree, join(folder, 'tree'))
    if (withGit) await copyTree(tools, from.git, join(folder, 'tree'))
  }

  async start (): Promise<Channel> {
    const { folder, lease } = this.#options
    const plan = this.#plan()
    if (plan.network !== 'none') makeNetworkEtc(this.#shared.base)
    if (plan.view.kind === 'overlay') mkdirSync(join(folder, plan.view.work))
    if (plan.isolation === 'namespaces') writeFileSync(join(folder, 'mounts'), mountTable(plan))
    const { pipes, clock, base } = this.#shared
    const cwd = plan.isolation === 'none' ? this.tree : base.folder
    const channel = await openChannel({ ...commandLine(plan), cwd, pipes, clock, hasNamespace: plan.isolation !== 'none', sweep: () => { sweepMarked(markName, this.id) } })
    if (channel.pid !== null) {
      lease.process = { pid: channel.pid, startedAt: processStartedAt(channel.pid) ?? '' }
      writeLease(folder, lease)
    }
    return channel
  }

  /** For whom it was made is known only when it is handed out. */
  relabel ({ run, purpose }: SandboxSpec['label']): void {
    const { folder, lease } = this.#options
    writeLease(folder, Object.assign(lease, { run, purpose }))
  }

  async memoryKills (): Promise<number> {
    return this.#group?.memoryKills() ?? 0
  }

  async room (): Promise<Room> {
    const { bfree, bsize, ffree } = await statfs(this.#options.folder)
    return { bytes: bfree * bsize, files: ffree }
  }

  async held (files: boolean): Promise<Held> {
    const { folder } = this.#options
    const { asRoot, tools } = this.#shared
    const names = readdirSync(folder).filter(name => ['upper', 'tree', 'scratch', 'tmp'].includes(name))
    // As root of a namespace an ordinary user reads also what the sandbox closed to everybody.
    const reader = asRoot || this.isolation === 'none' ? [] : [tools.unshare!, '--user', '--map-root-user', '--']
    const [file, ...args] = [...reader, tools.sh, '-c', measureScript(files), 'sh', ...names] as [string, ...string[]]
    const { stdout } = await run(file, args, { cwd: folder, maxBuffer: measureBytesMax })
    const kilobytes = totalOf(stdout, 'k')
    return { bytes: kilobytes === null ? null : kilobytes * 1024, files: totalOf(stdout, 'n') }
  }

  async remove (): Promise<void> {
    const group = this.#group
    this.#group = null
    try {
      await removeFolder(this.#options.folder)
    } finally {
      if (group !== null) await this.#shared.groups!.give(group)
    }
  }

  #plan (): LaunchPlan {
    const { spec, folder, group } = this.#options
    const { tools, base, isolation, overlay, asRoot, userNamespace, toolchains } = this.#shared
    const view: LaunchPlan['view'] = overlay === null || spec.view === 'empty' || isolation === 'none'
      ? { kind: 'folder' }
      : { kind: 'overlay', lower: this.#lower, work: `work-${this.#launches++}`, volatile: overlay.volatile }
    const mounts = outermost([...spec.arena.mounts, ...toolchains.mounts])
    return { isolation, asRoot, userNamespace, tools, base, folder, view, network: spec.network, mounts, env: this.#environment(), cgroupProcs: group?.procs ?? [] }
  }

  #environment (): Record<string, string> {
    const { arena } = this.#options.spec
    const isOpen = this.isolation === 'none'
    const tmp = isOpen ? join(this.#options.folder, 'tmp') : '/tmp'
    const own = Object.entries(arena.env).map(([name, value]) => [name, value.replaceAll('{tree}', this.tree)])
    return {
      PATH: [...arena.path, ...this.#shared.toolchains.path, ...standardPath].join(':'),
      ...standardEnvironment(tmp),
      // A copy that lies inside of somebody's checkout is no part of it.
      ...(isOpen ? { GIT_CEILING_DIRECTORIES: this.#options.folder } : {}),
      ...Object.fromEntries(own),
      [markName]: this.id
    }
  }

  #makeOwned (path: string, mode = 0o755): void {
    mkdirSync(path)
    chmodSync(path, mode)
    if (this.#shared.asRoot) chownSync(path, rootModeId, rootModeId)
  }
}

const modeOf = (path: string): number => lstatSync(path).mode & 0o777

const measureBytesMax = 64 * 1024
/** What vanishes meanwhile makes du complain; that is not kept, since there may be much of it. */
const measureScript = (files: boolean): string => [
  'exec 2>/dev/null',
  'du -sk -- "$@" | sed "s/^/k/"',
  ...files ? ['du -s --inodes -- "$@" | sed "s/^/n/"'] : []
].join('\n')

/** Null: the program said nothing, as where it cannot count files. */
function totalOf (said: string, mark: string): number | null {
  const counts = said.split('\n').filter(line => line.startsWith(mark)).map(line => Number.parseInt(line.slice(1), 10))
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0)
}

/**
 * Also when what ran inside took its own folders' rights away, or nested them deeper than a path can be long: then by the
 * system's own program, which walks from folder to folder. Overlay's work folder has no rights from the start.
 */
export async function removeFolder (folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 2, retryDelay: 20 })
  } catch {
    const removed = spawn('/bin/sh', ['-c', 'chmod -R u+rwX -- "$1"; exec rm -rf -- "$1"', 'sh', folder], { stdio: 'ignore' })
    await once(removed, 'exit')
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}
