// `spar grade <bug-dir> <patch>`: would this patch solve the bug?

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { verifyBug } from '../../actors/verifier.ts'
import { SparError } from '../errors.ts'
import { runDefaults } from '../run/options.ts'
import { gradeAttempt } from '../verify/grade.ts'
import { withBug, type OpenedBug } from './bug.ts'
import { exitNo, exitUndecided, type Io } from './command.ts'
import { sandboxOptionTypes, sandboxUsage } from './parse.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar grade <bug-dir> <patch> [options]

  --target t   the repository, when the folder has no manifest
  ${sandboxUsage}
  --setup "cmd"   --test "cmd"
  --json       one object on the last line

A bug without a verdict in its manifest is verified first: what has to pass is known only then.
Exit code: 0 solved, 1 not, 2 could not be decided.`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      target: { type: 'string' }, ...sandboxOptionTypes, setup: { type: 'string' }, test: { type: 'string' },
      json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const [dir, file] = positionals
  if (dir === undefined || file === undefined || positionals.length > 2) throw new SparError('OPTION_MISSING', `Name a bug folder and one patch. ${usage.split('\n')[0]}`)
  const patch = readPatchFile(file)
  const grade = await withBug(dir, values, io, async opened => {
    const { artifact: { bug }, arena, ports } = opened
    return await gradeAttempt({ bug, arena, expected: await expectedOf(opened), patch, run: 'grade' }, ports)
  })
  if (values.json) io.out(neutralJson(grade))
  else io.out(`${grade.solved === null ? 'undecided' : grade.solved ? 'solved' : 'not solved'} (${grade.outcome}): ${grade.reason}${list('missing', grade.missing)}${list('failing', grade.failing)}${list('labels', grade.findings ?? [])}`)
  return grade.solved === null ? exitUndecided : grade.solved ? 0 : exitNo
}

/** Lines that a person is shown; all of them are in --json. */
const shownMax = 20

const list = (title: string, ids: readonly string[]): string => ids.length === 0
  ? ''
  : `\n${title}:\n${ids.slice(0, shownMax).map(id => `  ${id}`).join('\n')}${ids.length > shownMax ? `\n  … and ${ids.length - shownMax} more` : ''}`

function readPatchFile (file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file))
  } catch (error) {
    throw new SparError('PATCH_NOT_FOUND', `Cannot read the patch ${file}: ${(error as Error).message}`)
  }
}

async function expectedOf ({ artifact: { bug, manifest }, arena, ports }: OpenedBug): Promise<{ f2p: string[]; p2p: string[] }> {
  if (manifest?.verdict) return manifest.verdict
  const params = manifest?.params ?? { minPassing: runDefaults.minPassing, minFiles: runDefaults.minFiles.min, minFailing: runDefaults.minFailing }
  const verdict = await verifyBug({ bug, arena, params, mode: 'strict', run: 'grade' }, ports)
  if (!verdict.decided) throw new SparError('VERIFY_UNDECIDED', `Cannot grade on ${bug.id}: it could not be verified`, { retryable: true })
  if (!verdict.valid) throw new SparError('BUG_INVALID', `Cannot grade on ${bug.id}: it is no valid bug, check "${verdict.failed}" rejects it (spar verify says why)`)
  return verdict
}
