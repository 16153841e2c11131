// What every process sandbox of an owner shares, made once: /etc, the skeleton of a root folder (empty mount points, links)
// for the isolation by namespaces, and mount points. What is mounted there is seen by its own sandbox only.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describeSystem, makeEtc, scratchPath, treePath, type System } from '../system.ts'
import { seccompFilter } from './seccomp.ts'

export interface Base extends System {
  folder: string
  etc: string
  /** Made when the first sandbox with a network is opened (`makeNetworkEtc`): few are. */
  etcNetwork: string
  skeleton: string
  /** Where a root, or bubblewrap's overlay, is mounted. */
  root: string
  merged: string
  /** File with the filter of system calls. */
  seccomp: string
  /** Folders elsewhere that have a name in this one. */
  names: Map<string, string>
}

export const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

const devLinks = [['fd', '/proc/self/fd'], ['stdin', '/proc/self/fd/0'], ['stdout', '/proc/self/fd/1'], ['stderr', '/proc/self/fd/2'], ['ptmx', 'pts/ptmx']] as const

function makeSkeleton (folder: string, system: System): void {
  const points = ['proc', 'etc', 'tmp', 'var/tmp', 'run', 'dev/pts', 'dev/shm', treePath, scratchPath, ...system.systemMounts]
  for (const point of points) mkdirSync(join(folder, point), { recursive: true })
  for (const device of devices) writeFileSync(join(folder, 'dev', device), '')
  for (const [name, target] of devLinks) symlinkSync(target, join(folder, 'dev', name))
  for (const link of system.links) symlinkSync(link.target, join(folder, link.path))
}

/** Made in a folder of its own for each owner: a shared one could be stale, and it costs some milliseconds. */
export function makeBase (parent: string): Base {
  const folder = mkdtempSync(join(parent, '.base-new-'))
  try {
    const system = describeSystem()
    makeEtc(join(folder, 'etc'), { network: false })
    makeSkeleton(join(folder, 'skeleton'), system)
    for (const name of ['root', 'merged']) mkdirSync(join(folder, name))
    const filter = seccompFilter()
    if (filter !== null) writeFileSync(join(folder, 'seccomp'), filter)
    const final = join(parent, `.base-${process.pid}-${folder.slice(-6)}`)
    renameSync(folder, final)
    const at = (name: string): string => join(final, name)
    return { folder: final, etc: at('etc'), etcNetwork: at('etc-network'), skeleton: at('skeleton'), root: at('root'), merged: at('merged'), seccomp: at('seccomp'), names: new Map(), ...system }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

/** A name in the base's folder for a folder anywhere: to overlay's options, some characters of a path mean something. */
export function nameInBase ({ folder, names }: Base, path: string): string {
  let name = names.get(path)
  if (name === undefined) {
    name = `lower-${names.size}`
    symlinkSync(path, join(folder, name))
    names.set(path, name)
  }
  return name
}

export function makeNetworkEtc ({ etcNetwork }: Base): void {
  if (!existsSync(etcNetwork)) makeEtc(etcNetwork, { network: true })
}
