// The lease of a sandbox: a file that says whose it is and what belongs to it outside of its own folder, so that a reaper
// can remove what a dead owner left and never what a live one holds. Each line is the whole lease; the last that can be read
// counts, so that a change is one small write and no file more. Earlier versions wrote one line with no newline behind it.

import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { foreignLeaseMsMax } from './limits.ts'
import { ownerState, type Owner } from './owner.ts'

export interface Lease {
  id: string
  run: string
  purpose: string
  owner: Owner
  openedAt: number
  /** The process on the host that everything else descends from, with its start time. */
  process: { pid: number; startedAt: string } | null
  cgroups: string[]
}

export const leaseFile = 'lease.json'

export function writeLease (folder: string, lease: Lease): void {
  appendFileSync(join(folder, leaseFile), JSON.stringify(lease) + '\n')
}

/** Null when there is none, or none that can be read. */
export function readLease (folder: string): Lease | null {
  try {
    const lines = readFileSync(join(folder, leaseFile), 'utf8').split('\n')
    return lines.reverse().map(parseLease).find(lease => lease !== null) ?? null
  } catch { return null }
}

function parseLease (line: string): Lease | null {
  try {
    const lease = JSON.parse(line) as Lease
    return typeof lease.owner?.pid === 'number' ? lease : null
  } catch { return null }
}

/** Whether nobody can hold it any more. A lease of another host is left alone until it is older than any sandbox gets. */
export function isAbandoned (lease: Pick<Lease, 'owner' | 'openedAt'>, here: Owner, now: number): boolean {
  const state = ownerState(lease.owner, here)
  return state === 'dead' || (state === 'unknown' && now - lease.openedAt > foreignLeaseMsMax)
}
