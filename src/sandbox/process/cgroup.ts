// Memory, process and cpu limits through cgroups, v1 or v2, where this process may make groups of its own; elsewhere null.
// The group is made below the one that this process is in, so that limits which the host put on Spar stay on top; on v2,
// where a group with processes cannot have such children, the nearest ancestor that can. Groups are used again (groups.ts).

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { SandboxLimits } from '../../ports.ts'

export interface Cgroup {
  /** Folders, for the lease. */
  folders: string[]
  /** A process that writes 0 to each of these joins. */
  procs: string[]
  /** Since the group was made. */
  memoryKills (): number
}

export interface Cgroups {
  version: 1 | 2
  /** Where groups are made. */
  parents: string[]
  make (name: string, limits: SandboxLimits): Cgroup
}

const root = '/sys/fs/cgroup'
const cpuPeriodUs = 100_000
const read = (path: string): string => { try { return readFileSync(path, 'utf8') } catch { return '' } }

/** Controller (`''` for v2) to this process's path in it. */
function ownPaths (): Map<string, string> {
  const paths = new Map<string, string>()
  for (const line of read('/proc/self/cgroup').trim().split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    for (const controller of controllers.split(',')) paths.set(controller, path)
  }
  return paths
}

const counted = (text: string, name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0)

/** Whether a group with this knob can be made there and joined: tried with a process, which is the only proof. */
function canHold (parent: string, knob: string): boolean {
  const folder = join(parent, `spar-probe-${process.pid}`)
  try {
    mkdirSync(folder)
    try {
      if (!existsSync(join(folder, knob))) return false
      execFileSync('/bin/sh', ['-c', 'echo 0 >"$1"', 'sh', join(folder, 'cgroup.procs')], { stdio: 'ignore' })
      return true
    } finally { rmdirSync(folder) }
  } catch { return false }
}

function findV2 (own: string): Cgroups | null {
  for (let path = own; ; path = dirname(path)) {
    const parent = join(root, path)
    if (canHold(parent, 'pids.max')) return makeV2(parent)
    if (path === '/' || path === '') return null
  }
}

function makeV2 (parent: string): Cgroups {
  return {
    version: 2,
    parents: [parent],
    make (name, limits) {
      const folder = join(parent, name)
      mkdirSync(folder)
      writeFileSync(join(folder, 'pids.max'), String(limits.pids))
      tryWrite(join(folder, 'memory.max'), String(limits.memoryBytes))
      tryWrite(join(folder, 'memory.swap.max'), '0')
      tryWrite(join(folder, 'cpu.max'), `${Math.round(limits.cpus * cpuPeriodUs)} ${cpuPeriodUs}`)
      return { folders: [folder], procs: [join(folder, 'cgroup.procs')], memoryKills: () => counted(read(join(folder, 'memory.events')), 'oom_kill') }
    }
  }
}

function findV1 (own: Map<string, string>): Cgroups | null {
  const knobs = { memory: 'memory.limit_in_bytes', pids: 'pids.max', cpu: 'cpu.cfs_quota_us' }
  const parents = new Map<string, string>()
  for (const [controller, knob] of Object.entries(knobs)) {
    const path = own.get(controller)
    if (path !== undefined && canHold(join(root, controller, path), knob)) parents.set(controller, join(root, controller, path))
  }
  return parents.has('pids') ? makeV1(parents) : null
}

function makeV1 (parents: Map<string, string>): Cgroups {
  return {
    version: 1,
    parents: [...parents.values()],
    make (name, limits) {
      const folders = new Map([...parents].map(([controller, parent]) => [controller, join(parent, name)]))
      for (const folder of folders.values()) mkdirSync(folder)
      writeFileSync(join(folders.get('pids')!, 'pids.max'), String(limits.pids))
      const memory = folders.get('memory')
      if (memory !== undefined) {
        writeFileSync(join(memory, 'memory.limit_in_bytes'), String(limits.memoryBytes))
        tryWrite(join(memory, 'memory.memsw.limit_in_bytes'), String(limits.memoryBytes))
      }
      const cpu = folders.get('cpu')
      if (cpu !== undefined) {
        tryWrite(join(cpu, 'cpu.cfs_period_us'), String(cpuPeriodUs))
        tryWrite(join(cpu, 'cpu.cfs_quota_us'), String(Math.round(limits.cpus * cpuPeriodUs)))
      }
      const all = [...folders.values()]
      const memoryKills = (): number => memory === undefined ? 0 : counted(read(join(memory, 'memory.oom_control')), 'oom_kill')
      return { folders: all, procs: all.map(folder => join(folder, 'cgroup.procs')), memoryKills }
    }
  }
}

function tryWrite (path: string, value: string): void {
  try { writeFileSync(path, value) } catch { /* this kernel or this group has no such knob */ }
}

export function findCgroups (): Cgroups | null {
  if (process.platform !== 'linux') return null
  const own = ownPaths()
  if (existsSync(join(root, 'cgroup.controllers'))) return findV2(own.get('') ?? '/')
  return findV1(own)
}

/** Every process in the group. */
export function cgroupPids (folder: string): number[] {
  return read(join(folder, 'cgroup.procs')).split('\n').filter(line => line !== '').map(Number)
}

/** Kills what is left inside and removes the group; true when it is gone. */
export async function removeCgroup (folder: string, pause: () => Promise<void>): Promise<boolean> {
  for (let attempt = 0; attempt < 100; attempt++) {
    for (const pid of cgroupPids(folder)) { try { process.kill(pid, 'SIGKILL') } catch { /* gone */ } }
    try {
      // A sandbox has no rights on its group, so there are no groups below; still, none may keep this one.
      for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) rmdirSync(join(folder, entry.name))
      rmdirSync(folder)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    }
    await pause()
  }
  return false
}
