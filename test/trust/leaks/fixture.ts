// Small arenas in real sandboxes, into whose trees and environments leaks are planted, and the search over them.

import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createBug } from '../../../src/artifact/index.ts'
import type { Arena, Bug } from '../../../src/domain.ts'
import type { ExecOptions, ExecResult, Sandbox, Sandboxes } from '../../../src/ports.ts'
import { createProcessSandboxes } from '../../../src/sandbox/index.ts'
import { createLeakMemory, leakLimits, scanSolverTree, type LeakLimits, type LeakMemory } from '../../../src/verify/leaks/index.ts'
import { prepareSolverTree } from '../../../src/verify/solver-tree.ts'
import { diffOf, text, writeFiles, type Content, type Files } from '../../artifact/git.ts'
import { testFolder } from '../../helpers/test-folder.ts'

export const utilPath = 'src/shapes/util.py'
/** As the solver must not see it. */
export const util = `# Helpers of shapes.

def clamp_to_range(value, lowest, highest):
    if value < lowest:
        return lowest
    return min(value, highest)


def weighted_average(values, weights):
    total_weight = sum(weights)
    if total_weight == 0:
        raise ZeroDivisionError('weights sum up to nothing')
    return sum(value * weight for value, weight in zip(values, weights)) / total_weight


def describe(shape):
    return f'{shape.name} of {shape.area}'
`
/** The lines that the bug changes, as they were. */
export const buggy = util.replace('if total_weight == 0:', 'if total_weight == 1:')
export const otherPath = 'src/shapes/names.py'
const other = 'NAMES = {1: "point", 2: "line"}\n\n\ndef name_of(corners):\n    return NAMES.get(corners, "polygon")\n'
const tests = 'from shapes.util import weighted_average\n\n\ndef test_average():\n    assert weighted_average([1, 3], [1, 1]) == 2\n\n\ndef test_nothing():\n    pass\n'

export const original: Files = { 'README.md': text('# shapes\n'), 'src/shapes/__init__.py': text(''), [utilPath]: text(util), [otherPath]: text(other), 'tests/test_util.py': text(tests), '.gitignore': text('dist\nbuild\n') }

export const changed = (files: Files, changes: Record<string, Content | null>): Files =>
  Object.fromEntries(Object.entries({ ...files, ...changes }).filter((entry): entry is [string, Content] => entry[1] !== null))

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export function makeBug (before: Files, bug: Record<string, Content | null>, pred: Record<string, Content | null> | null = null): Bug {
  const broken = changed(before, bug)
  const weak = { 'tests/test_util.py': text('def test_nothing():\n    pass\n') }
  return createBug({
    testScript: bytes('pytest\n'), testFiles: bytes('tests/test_util.py\n'), testParser: bytes(''), parserName: 'test_parser.py',
    bugInject: new Uint8Array(diffOf(before, broken).patch), testWeaken: new Uint8Array(diffOf(broken, changed(broken, weak)).patch),
    predPatch: pred === null ? null : new Uint8Array(diffOf(broken, changed(broken, pred)).patch)
  }, pred === null ? null : 'bug-0000000000000000')
}

export const simpleBug = (before: Files = original): Bug => makeBug(before, { [utilPath]: text(buggy) })

export interface Planted {
  /** Files of the arena's tree beside `original`; null: not there. */
  tree?: Record<string, Content | null>
  /** Files of the folder that is mounted. */
  env?: Files
  bug?: Bug
  limits?: Partial<LeakLimits>
  /** In the sandbox, before the search. */
  after?: (sandbox: Sandbox) => Promise<void>
}

export interface Lab {
  sandboxes: Sandboxes
  memory: LeakMemory
  arena (planted?: Planted): Arena
  open (arena: Arena): Promise<Sandbox>
  /** Findings of a search of its own. */
  find (planted: Planted): Promise<readonly string[]>
}

export async function openLab (t: Test): Promise<Lab> {
  const home = realpathSync(testFolder(t))
  const sandboxes = await createProcessSandboxes({ home, prepared: 0 })
  t.teardown(() => sandboxes.close())
  const memory = createLeakMemory()
  let arenas = 0
  const lab: Lab = {
    sandboxes,
    memory,
    arena ({ tree = {}, env = {} } = {}) {
      const dir = join(home, `arena-${++arenas}`)
      mkdirSync(join(dir, 'git'), { recursive: true })
      mkdirSync(join(dir, 'env'))
      writeFiles(join(dir, 'tree'), changed(original, tree))
      writeFiles(join(dir, 'env'), env)
      return {
        id: String(arenas).padStart(16, '0'), target: 'fixture', name: 'shapes', commit: '0'.repeat(40), tree: '0'.repeat(40), image: null, imagePath: null, dir, ecosystem: 'python', runner: 'pytest',
        testCommand: null, mounts: [join(dir, 'env')], path: [], env: {}, testFiles: [], commits: 1
      }
    },
    open: arena => sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'leaks' } }),
    async find (planted) {
      const { tree = {}, limits = {}, after = async () => {} } = planted
      const bug = planted.bug ?? simpleBug(changed(original, tree))
      const arena = lab.arena(planted)
      const sandbox = await lab.open(arena)
      try {
        const commit = await prepareSolverTree(sandbox, bug)
        await after(sandbox)
        const known = limits.listingBytesMax === undefined ? memory : createLeakMemory()
        return await scanSolverTree(sandbox, { bug, arena, commit }, known, undefined, { ...leakLimits, ...limits })
      } finally { await sandbox.destroy() }
    }
  }
  return lab
}

/** The sandbox, with every command told before it runs. */
export const toldOf = (sandbox: Sandbox, tell: (command: string, options: ExecOptions) => void | Promise<ExecResult>): Sandbox => ({
  id: sandbox.id, kind: sandbox.kind, isolation: sandbox.isolation, tree: sandbox.tree, scratch: sandbox.scratch,
  exec: async (command, options) => await (tell(command, options) ?? sandbox.exec(command, options)),
  readFile: (path, max) => sandbox.readFile(path, max), writeFile: (path, bytes, mode) => sandbox.writeFile(path, bytes, mode), destroy: () => sandbox.destroy()
})

export async function must (sandbox: Sandbox, command: string): Promise<string> {
  const { exitCode, output } = await sandbox.exec(command, { timeoutMs: 30_000, outputBytesMax: 100_000 })
  const said = Buffer.from(output).toString()
  if (exitCode !== 0) throw new Error(`${command}: exit code ${exitCode}: ${said}`)
  return said
}
