// One process at a time writes into the folder of a run or an evaluation: it says so in `held.json` for as long as it lives. What a
// process that died left says nothing.

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SparError } from '../errors.ts'
import { currentOwner, ownerState, type Owner } from '../sandbox/owner.ts'
import { writeAtomic, writeNew } from './files.ts'

export const holdName = 'held.json'

/** Until this process ends. Throws FOLDER_HELD where another process is at it. */
export function holdFolder (dir: string): void {
  const path = join(dir, holdName)
  const here = currentOwner()
  const own = JSON.stringify(here)
  if (!writeNew(path, own)) {
    const holder = holderOf(path)
    if (holder !== null && ownerState(holder, here) === 'live') throw new SparError('FOLDER_HELD', `Cannot go on in ${dir}: process ${holder.pid} is at work there. Wait for it, or end it`, { data: { pid: holder.pid } })
    writeAtomic(path, own)
  }
  process.once('exit', () => { if (holderOf(path)?.pid === here.pid) rmSync(path, { force: true }) })
}

/** Null for one that died while it wrote. */
function holderOf (path: string): Owner | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner
  } catch { return null }
}
