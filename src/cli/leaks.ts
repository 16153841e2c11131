// `spar leaks <bug-dir>`: can a solver read the original of what the bug changes?

import { parseArgs } from 'node:util'
import { createLeakMemory, scanSolverTree } from '../verify/leaks/index.ts'
import { prepareSolverTree } from '../verify/solver-tree.ts'
import { withBug } from './bug.ts'
import { exitNo, exitUndecided, type Io } from './command.ts'
import { onlyArgument, sandboxOptionTypes, sandboxUsage } from './parse.ts'
import { neutral, neutralJson } from './terminal.ts'

const usage = `Usage: spar leaks <bug-dir> [options]

Makes the tree that a solver gets, and searches all that its sandbox can read for the original
of the bug's changes: git, other copies, backups, bytecode, build output, archives.

  --target t   the repository, when the folder has no manifest
  ${sandboxUsage}
  --setup "cmd"   --test "cmd"
  --json       one object on the last line: {id, commit, findings}

Exit code: 0 nothing leaks, 1 something does, 2 it could not be told (a limit was reached, or nothing answers).`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { target: { type: 'string' }, ...sandboxOptionTypes, setup: { type: 'string' }, test: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }
  })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const dir = onlyArgument(positionals, 'a bug folder', usage)
  const found = await withBug(dir, values, io, async ({ artifact: { bug }, arena, ports: { sandboxes } }) => {
    const sandbox = await sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'leaks', purpose: bug.id } })
    try {
      const commit = await prepareSolverTree(sandbox, bug)
      return { id: bug.id, commit, findings: await scanSolverTree(sandbox, { bug, arena, commit }, createLeakMemory()) }
    } finally { await sandbox.destroy() }
  })
  const { findings } = found
  if (values.json) io.out(neutralJson(found))
  else io.out(neutral([`${found.id}: ${findings.length === 0 ? 'nothing of the original can be read' : `${findings.length} findings`}`, ...findings.map(finding => `  ${finding}`)].join('\n')))
  return findings.length === 0 ? 0 : findings.every(finding => finding.startsWith('leak-unscanned:')) ? exitUndecided : exitNo
}
