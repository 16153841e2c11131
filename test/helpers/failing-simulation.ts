// `spar simulate` of a version with a known defect: a failure as one would find it.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { buildWith } from '../simulation/build.ts'
import { mutations } from '../simulation/mutations.ts'

export interface FailingSimulation { run (argv: readonly string[]): Promise<{ code: number; out: string; err: string }> }

/** `defect`: the name of one in mutations.ts. Its files go into the folder, in which it also runs. */
export async function buildFailing (folder: string, defect: string): Promise<FailingSimulation> {
  const program = join(folder, 'simulate.mjs')
  await buildWith(mutations.find(({ name }) => name === defect)!, 'command.ts', program)
  return {
    run: argv => new Promise(resolve => {
      const child = execFile(process.execPath, [program, ...argv], { cwd: folder, maxBuffer: 2 ** 26 }, (_, out, err) => resolve({ code: child.exitCode!, out, err }))
    })
  }
}
