// Removes what process sandboxes of dead owners left: processes first (by lease, by cgroup, by mark), then control groups,
// then folders. Mounts live in private namespaces and are gone with the processes.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import type { Clock } from '../../ports.ts'
import { isAbandoned, readLease, type Lease } from '../lease.ts'
import { killMsMax, unleasedMsMax } from '../limits.ts'
import { ownerState, processStartedAt, type Owner } from '../owner.ts'
import { removeCgroup } from './cgroup.ts'
import { removeGroupsOf } from './groups.ts'
import { removeFolder } from './host.ts'
import { markName } from './launch.ts'
import { staleLayers } from './layers.ts'
import { sweepMarked, withDescendants } from './processes.ts'

export const ownerFile = 'owner.json'

function signal (pid: number): void {
  try { process.kill(pid, 'SIGKILL') } catch { /* gone */ }
}

async function killLeased (lease: Lease, clock: Clock, removed: string[]): Promise<void> {
  const leased = lease.process
  if (leased !== null && processStartedAt(leased.pid) === leased.startedAt) {
    // In a pid namespace the first child takes all others with it.
    for (const pid of withDescendants(leased.pid)) signal(pid)
    signal(-leased.pid)
    removed.push(`process ${leased.pid}`)
    const until = clock.now() + killMsMax
    while (processStartedAt(leased.pid) === leased.startedAt && clock.now() < until) await clock.sleep(5)
  }
  for (const pid of sweepMarked(markName, lease.id)) removed.push(`process ${pid}`)
  for (const group of lease.cgroups) {
    if (await removeCgroup(group, () => clock.sleep(5))) removed.push(`cgroup ${group}`)
  }
}

function ageMs (path: string, now: number): number {
  try { return now - statSync(path).mtimeMs } catch { return 0 }
}

function readOwner (folder: string): Owner | null {
  try { return JSON.parse(readFileSync(join(folder, ownerFile), 'utf8')) as Owner } catch { return null }
}

/** `holds` says which sandboxes this very process has open. */
export async function reapProcessSandboxes (parent: string, here: Owner, clock: Clock, holds: (id: string) => boolean): Promise<string[]> {
  const removed: string[] = []
  const names = readdirSync(parent)
  for (const name of names.filter(name => !name.startsWith('.') && name !== 'layers')) {
    const folder = join(parent, name)
    const lease = readLease(folder)
    if (holds(name) || (lease === null ? ageMs(folder, clock.now()) < unleasedMsMax : !isAbandoned(lease, here, clock.now()))) continue
    if (lease !== null) await killLeased(lease, clock, removed)
    await removeFolder(folder)
    removed.push(`folder ${folder}`)
  }
  // Shared folders of an owner (base, pipes, probes) carry the owner alone.
  for (const name of names.filter(name => name.startsWith('.'))) {
    const folder = join(parent, name)
    const owner = readOwner(folder)
    const isDead = owner === null ? ageMs(folder, clock.now()) >= unleasedMsMax : ownerState(owner, here) === 'dead'
    if (!isDead) continue
    for (const group of await removeGroupsOf(folder, clock)) removed.push(`cgroup ${group}`)
    await removeFolder(folder)
    removed.push(`folder ${folder}`)
  }
  for (const layer of staleLayers(join(parent, 'layers'))) {
    await removeFolder(layer)
    removed.push(`folder ${layer}`)
  }
  return removed
}
