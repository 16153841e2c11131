// Control groups that sandboxes use one after the other: to make one, set its limits and remove it costs more than a short
// command. Whoever takes a group gets it empty, with the limits asked for, and its kills counted from zero.
//
// Numbered rules:
//  1. A group that still holds a process is never used again: it is emptied and removed.
//  2. A lease names the groups of its sandbox. All groups of an owner are found by the prefix of their names, too, which is
//     written down before the first is made: whoever is killed leaves none that a reaper does not find.
//  3. Once closed, no group waits: what is given back later is removed.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import type { Clock, SandboxLimits } from '../../ports.ts'
import { idleGroupsMax } from '../limits.ts'
import { cgroupPids, removeCgroup, type Cgroup, type Cgroups } from './cgroup.ts'

export interface Group extends Cgroup { /** The limits that it holds. */ key: string }

const groupsFile = 'cgroups.json'
const pauseMs = 5

export class Groups {
  readonly #cgroups: Cgroups
  readonly #clock: Clock
  readonly #prefix: string
  /** Given back last, last. */
  readonly #idle: Group[] = []
  #made = 0
  #closed = false

  /** `folder` is the owner's own, and keeps the prefix; its name tells owners apart. */
  constructor (cgroups: Cgroups, folder: string, clock: Clock) {
    this.#cgroups = cgroups
    this.#clock = clock
    this.#prefix = `spar-${basename(folder).replace(/^\.+/, '')}-`
    writeFileSync(join(folder, groupsFile), JSON.stringify({ parents: cgroups.parents, prefix: this.#prefix }))
  }

  async take (limits: SandboxLimits): Promise<Group> {
    const key = [limits.memoryBytes, limits.pids, limits.cpus].join(' ')
    const at = this.#idle.findLastIndex(group => group.key === key)
    if (at >= 0) {
      const [group] = this.#idle.splice(at, 1) as [Group]
      const before = group.memoryKills()
      return { ...group, memoryKills: () => group.memoryKills() - before }
    }
    const name = `${this.#prefix}${this.#made++}`
    try {
      return { ...this.#cgroups.make(name, limits), key }
    } catch (error) {
      await this.#remove({ folders: this.#cgroups.parents.map(parent => join(parent, name)) })
      throw error
    }
  }

  /** From a sandbox whose processes are gone and whose lease is, too, unless its folder could not be removed. */
  async give (group: Group): Promise<void> {
    if (this.#closed || group.folders.some(folder => cgroupPids(folder).length > 0)) return await this.#remove(group)
    this.#idle.push(group)
    if (this.#idle.length > idleGroupsMax) await this.#remove(this.#idle.shift()!)
  }

  async close (): Promise<void> {
    this.#closed = true
    await Promise.all(this.#idle.splice(0).map(group => this.#remove(group)))
  }

  async #remove ({ folders }: Pick<Group, 'folders'>): Promise<void> {
    for (const folder of folders) await removeCgroup(folder, () => this.#clock.sleep(pauseMs))
  }
}

/** Removes what a dead owner's `folder` tells of; returns the groups that are gone. */
export async function removeGroupsOf (folder: string, clock: Clock): Promise<string[]> {
  const removed: string[] = []
  for (const group of groupsOf(folder)) if (await removeCgroup(group, () => clock.sleep(pauseMs))) removed.push(group)
  return removed
}

function groupsOf (folder: string): string[] {
  try {
    const { parents, prefix } = JSON.parse(readFileSync(join(folder, groupsFile), 'utf8')) as { parents: string[]; prefix: string }
    return parents.flatMap(parent => readdirSync(parent).filter(name => name.startsWith(prefix)).map(name => join(parent, name)))
  } catch { return [] }
}
