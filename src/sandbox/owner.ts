// Who owns a sandbox, and whether that process still lives. A process id alone says little (ids are used again), so the
// time at which it started goes with it, and the machine, boot and pid namespace in which the id has a meaning.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface Owner {
  /** Digest of machine, boot and pid namespace: process ids compare only within it. */
  host: string
  /** Digest of the machine alone: another boot of the same machine has no live owners of this one. */
  machine: string
  boot: string
  pid: number
  /** Start time of the process in the kernel's ticks (or as `ps` prints it). */
  startedAt: string
  /** Fencing number of the run, 0 when there is none. */
  epoch: number
}

const readText = (path: string): string => {
  try { return readFileSync(path, 'utf8').trim() } catch { return '' }
}

const digest = (...parts: string[]): string => createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)

/** Field 22 of /proc/<pid>/stat, counted after the command name, which may hold anything. Null: no such process. */
export function processStartedAt (pid: number): string | null {
  if (process.platform !== 'linux') return startedAtByPs(pid)
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie holds nothing any more.
  return stat === '' || fields[0] === 'Z' ? null : fields[19] ?? null
}

function startedAtByPs (pid: number): string | null {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim() || null
  } catch { return null }
}

function pidNamespace (): string {
  try { return readlinkSync('/proc/self/ns/pid') } catch { return '' }
}

export function currentOwner (epoch = 0): Owner {
  const machine = digest(readText('/etc/machine-id'), hostname())
  const boot = digest(readText('/proc/sys/kernel/random/boot_id'))
  return { host: digest(machine, boot, pidNamespace()), machine, boot, pid: process.pid, startedAt: processStartedAt(process.pid) ?? '', epoch }
}

/** `unknown`: it lived on another host, where its process id says nothing here. */
export function ownerState (owner: Owner, here: Owner): 'live' | 'dead' | 'unknown' {
  if (owner.host === here.host) return processStartedAt(owner.pid) === owner.startedAt ? 'live' : 'dead'
  if (owner.machine === here.machine && owner.boot !== here.boot) return 'dead'
  return 'unknown'
}
