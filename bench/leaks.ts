// What the search for leaks costs a solver's tree of 5,000 files, in process sandboxes, the files in memory:
//   first      the first of a node: the system's folders are listed too
//   each bug   with the listings known
//   again      the tree of a bug that was searched before
// against a bare `grep -rlF` over the same tree in the same sandbox, and against the making of the tree.
// `--check` turns the mark into an exit code. Usage: node dist/bench/leaks.js [--check] [--rounds 15]

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createBug } from '../src/artifact/index.ts'
import type { Bug } from '../src/domain.ts'
import { createProcessSandboxes } from '../src/sandbox/index.ts'
import { createLeakMemory, scanSolverTree, type LeakMemory } from '../src/verify/leaks/index.ts'
import { prepareSolverTree } from '../src/verify/solver-tree.ts'
import { diffLines } from '../src/workers/diff/index.ts'
import { makeArenaFolder } from '../test/helpers/sandbox-fixture.ts'
import { writeFiles } from '../test/artifact/git.ts'

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, rounds: { type: 'string', default: '15' } } })
const rounds = Number(values.rounds)
const files = 5000
const markTimes = 3

const p50 = (times: number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1]!

async function timed<Result> (work: () => Promise<Result>): Promise<[number, Result]> {
  const startedAt = performance.now()
  const result = await work()
  return [performance.now() - startedAt, result]
}

const nothing = new Uint8Array()
/** About 4 KB, as sources are. */
const source = (index: number, line = 'if remaining_items == 0:'): string =>
  Array.from({ length: 40 }, (_, at) => `def handle_request_${index}_${at}(remaining_items, handlers):\n    ${at === 20 ? line : 'if remaining_items > 1:'}\n        return handlers[${index}]\n`).join('\n')

const path = (index: number): string => `src/package_${index % 50}/module_${index}.py`

function bugOf (index: number): Bug {
  const bugInject = diffLines(Buffer.from(source(index)), Buffer.from(source(index, 'if remaining_items == 1:')), { path: path(index) })
  return createBug({ testScript: nothing, testFiles: nothing, testParser: nothing, parserName: 'test_parser.sh', bugInject, testWeaken: nothing, predPatch: null })
}

const folder = mkdtempSync(join(tmpdir(), 'spar-bench-'))
const sandboxes = await createProcessSandboxes({ home: join(folder, 'home'), prepared: 0 })
try {
  const arena = makeArenaFolder(folder)
  writeFiles(join(arena.dir, 'tree'), Object.fromEntries(Array.from({ length: files }, (_, index) => [path(index), { bytes: Buffer.from(source(index)) }])))
  const open = async (bug: Bug): Promise<{ prepareMs: number; grepMs: number; scan: (memory: LeakMemory) => Promise<number>; close: () => Promise<void> }> => {
    const sandbox = await sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'bench', purpose: 'leaks' } })
    const [prepareMs, commit] = await timed(async () => await prepareSolverTree(sandbox, bug))
    const grep = async (): Promise<unknown> => await sandbox.exec('LC_ALL=C grep -rlF "handle_request_none(remaining" src', { timeoutMs: 60_000, outputBytesMax: 1000 })
    await grep()
    const [grepMs] = await timed(grep)
    return {
      prepareMs, grepMs, close: () => sandbox.destroy(),
      scan: async memory => {
        const [ms, findings] = await timed(async () => await scanSolverTree(sandbox, { bug, arena, commit }, memory))
        if (findings.length > 0) throw new Error(`the tree of the benchmark leaks: ${findings.join('; ')}`)
        return ms
      }
    }
  }
  const memory = createLeakMemory()
  const times = { first: [] as number[], bug: [] as number[], again: [] as number[], grep: [] as number[], prepare: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const opened = await open(bugOf(round * 7))
    if (round === 0) times.first.push(await opened.scan(memory))
    else times.bug.push(await opened.scan(memory))
    times.again.push(await opened.scan(memory))
    times.grep.push(opened.grepMs)
    times.prepare.push(opened.prepareMs)
    await opened.close()
  }
  const shown = (ms: number): string => `${ms.toFixed(1)} ms`
  const each = p50(times.bug)
  const holds = each <= markTimes * p50(times.grep)
  console.log(`${files} files, ${readdirSync(join(arena.dir, 'tree', 'src')).length} folders, load ${loadavg()[0]!.toFixed(1)}`)
  console.log(`first on a node     ${shown(times.first[0]!)}`)
  console.log(`each bug, p50       ${shown(each)} (best ${shown(Math.min(...times.bug))})   ${(each / p50(times.grep)).toFixed(1)} × a bare grep (${shown(p50(times.grep))}), ${(each / p50(times.prepare)).toFixed(2)} × the making of the tree (${shown(p50(times.prepare))})   mark ≤ ${markTimes} × the grep ${holds ? 'holds' : 'MISSED'}`)
  console.log(`again, p50          ${times.again.length > 0 ? p50(times.again).toFixed(3) : '–'} ms`)
  if (values.check && !holds) process.exitCode = 1
} finally {
  await sandboxes.close()
  rmSync(folder, { recursive: true, force: true })
}
