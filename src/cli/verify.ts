// `spar verify <bug-dir>`: all checks on a bug folder, with evidence.

import { parseArgs } from 'node:util'
import { verifyBug } from '../../actors/verifier.ts'
import type { BugParams, Verdict } from '../domain.ts'
import { parseRange, parseWhole, runDefaults } from '../run/options.ts'
import { withBug } from './bug.ts'
import { exitNo, exitUndecided, type Io } from './command.ts'
import { onlyArgument, parseWord, sandboxOptionTypes, sandboxUsage } from './parse.ts'
import { renderTable } from './table.ts'
import { neutralJson } from './terminal.ts'

const usage = `Usage: spar verify <bug-dir> [options]

  --target t          the repository, when the folder has no manifest or another one is meant
  --min-passing n     default: the manifest's figures, else 10
  --min-files n       … else 1
  --min-failing n     … else 1
  --mode strict|group how inverse mutation restores files (default strict)
  ${sandboxUsage}
  --setup "cmd"   --test "cmd"
  --json              one object on the last line

Exit code: 0 valid, 1 rejected, 2 could not be decided.`

export async function run (argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      target: { type: 'string' }, 'min-passing': { type: 'string' }, 'min-files': { type: 'string' }, 'min-failing': { type: 'string' }, mode: { type: 'string' },
      ...sandboxOptionTypes, setup: { type: 'string' }, test: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help) {
    io.out(usage)
    return 0
  }
  const dir = onlyArgument(positionals, 'a bug folder', usage)
  const mode = parseWord('mode', values.mode ?? 'strict', ['strict', 'group'] as const)
  const given = {
    ...(values['min-passing'] === undefined ? {} : { minPassing: parseWhole('min-passing', values['min-passing'], 1) }),
    ...(values['min-files'] === undefined ? {} : { minFiles: parseRange('min-files', values['min-files']).min }),
    ...(values['min-failing'] === undefined ? {} : { minFailing: parseWhole('min-failing', values['min-failing'], 1) })
  }
  const verdict = await withBug(dir, values, io, async ({ artifact: { bug, manifest }, arena, ports }) => {
    const fallback: BugParams = { minPassing: runDefaults.minPassing, minFiles: runDefaults.minFiles.min, minFailing: runDefaults.minFailing }
    return await verifyBug({ bug, arena, params: { ...(manifest?.params ?? fallback), ...given }, mode, run: 'verify' }, ports)
  })
  if (values.json) io.out(neutralJson(outputOf(verdict)))
  else io.out(renderVerdict(verdict))
  return !verdict.decided ? exitUndecided : verdict.valid ? 0 : exitNo
}

const outputOf = ({ bugId, ...verdict }: Verdict): object => ({ id: bugId, ...verdict })

const marks = { pass: '✓', fail: '✗', skip: '·', error: '!' }

export function renderVerdict (verdict: Verdict): string {
  const ending = !verdict.decided ? 'could not be decided' : verdict.valid ? `valid (${verdict.mode ?? 'strict'})` : `rejected by "${verdict.failed}"`
  const rows = verdict.checks.map(check => [check.name, `${marks[check.verdict]} ${check.verdict}`, check.reason])
  return [
    renderTable(['check', 'verdict', 'reason'], rows),
    '',
    `${verdict.bugId}: ${ending}; ${verdict.files.length} files, ${verdict.f2p.length} F2P, ${verdict.p2p.length} P2P${verdict.quarantined.length > 0 ? `, ${verdict.quarantined.length} flaky` : ''}. Evidence: --json`
  ].join('\n')
}
