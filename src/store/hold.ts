// One process at a time writes into the folder of a run or an evaluation: it says so in `held.json` for as long as it lives. What a
// process that died left says nothing.

import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SparError } from '../errors.ts'
import { currentOwner, ownerState, type Owner } from '../sandbox/owner.ts'
import { readJson, writeJson } from './files.ts'

export const holdName = 'held.json'

/** Until this process ends; a folder that is not there is nobody's. Throws FOLDER_HELD where another process is at it. */
export function holdFolder (dir: string): void {
  if (!existsSync(dir)) return
  const path = join(dir, holdName)
  const here = currentOwner()
  const holder = readJson<Owner>(path)
  if (holder !== null && ownerState(holder, here) === 'live') throw new SparError('FOLDER_HELD', `Cannot go on in ${dir}: process ${holder.pid} is at work there. Wait for it, or end it`, { data: { pid: holder.pid } })
  writeJson(path, here)
  process.once('exit', () => { rmSync(path, { force: true }) })
}
