// Goal: what Spar asks of a simulated sandbox comes to what it comes to in a real one. Method: the product's own functions, on both,
// over the tree of the same arena: trees, commits, diffs and refusals are compared byte for byte.

import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createBug } from '../../src/artifact/index.ts'
import { systemClock } from '../../src/clock.ts'
import type { Arena } from '../../src/domain.ts'
import type { Sandbox, Sandboxes } from '../../src/ports.ts'
import { createRandom } from '../../src/random.ts'
import { collectPatch } from '../../src/rollout/collect.ts'
import { executeTool, toolLimits } from '../../src/rollout/tools.ts'
import { createProcessSandboxes } from '../../src/sandbox/index.ts'
import { simulatedArena, treeOf } from '../../src/simulation/arena.ts'
import { listCommand } from '../../src/simulation/commands.ts'
import { diffOf, readListing, withoutTests, withValue, type Texts } from '../../src/simulation/draft.ts'
import { createSimulatedMachine } from '../../src/simulation/sandboxes.ts'
import { keepTestFiles, restoreTestFiles } from '../../src/verify/restore.ts'
import { createLeakMemory, scanSolverTree } from '../../src/verify/leaks/index.ts'
import { prepareSolverTree, prepareTree } from '../../src/verify/solver-tree.ts'
import { verifyLimits } from '../../src/verify/index.ts'
import { applyPatch } from '../../src/verify/tree.ts'
import { writeFiles } from '../artifact/git.ts'
import { testFolder } from '../helpers/test-folder.ts'

const arena = simulatedArena(7)
const original: Texts = new Map([...treeOf(arena)].map(([path, { bytes }]) => [path, Buffer.from(bytes).toString()]))

/** Two kinds of sandbox, side by side; null where this host has no real one. */
async function openBoth (t: Test): Promise<{ kinds: [string, Sandboxes, Arena][] } | null> {
  const folder = testFolder(t)
  let real: Sandboxes
  try {
    execFileSync('git', ['--version'], { stdio: 'ignore' })
    real = await createProcessSandboxes({ home: join(folder, 'home'), prepared: 0 })
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error
    t.pass('no process sandbox here', { skip: error instanceof Error ? error.message : String(error) })
    return null
  }
  t.teardown(() => real.close())
  mkdirSync(join(folder, 'arena', 'git'), { recursive: true })
  writeFiles(join(folder, 'arena', 'tree'), Object.fromEntries([...treeOf(arena)].map(([path, { bytes }]) => [path, { bytes: Buffer.from(bytes) }])))
  const clock = { ...systemClock, now: () => 0, sleep: async () => {} }
  const simulated = createSimulatedMachine().connect({ owner: 'one', clock, random: createRandom(1) })
  return { kinds: [['real', real, { ...arena, dir: join(folder, 'arena') }], ['simulated', simulated, arena]] }
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const edited = (path: string, change: (text: string) => string): string => diffOf(original, new Map(original).set(path, change(original.get(path)!)))
const patches = {
  value: edited('src/m0.py', text => withValue(text, 'rule_2', 1)),
  twoFiles: edited('src/m0.py', text => withValue(text, 'rule_0', 1)) + edited('src/m3.py', text => withValue(withValue(text, 'rule_0', 1), 'spare', 2)),
  tests: edited('tests/test_m1.py', text => withoutTests(text, new Set(['test_rule_1']))),
  syntax: edited('src/m1.py', text => `!syntax\n${text}`),
  elsewhere: edited('src/m0.py', text => withValue(text, 'rule_2', 1)).replace(/^-rule_2 = .*$/m, '-rule_2 = 0'),
  noFile: edited('src/m0.py', text => withValue(text, 'rule_2', 1)).replaceAll('m0.py', 'none.py'),
  half: edited('src/m0.py', text => withValue(text, 'rule_2', 1)) + edited('src/m2.py', text => withValue(text, 'rule_2', 1)).replace(/^-rule_2 = .*$/m, '-rule_2 = 0')
}

t.test('patches apply to the same trees, and the same ones do not', async t => {
  const both = await openBoth(t)
  if (both === null) return
  const found: Record<string, unknown>[] = []
  for (const [, sandboxes, arena] of both.kinds) {
    const seen: Record<string, unknown> = {}
    for (const [name, patch] of Object.entries(patches)) {
      const sandbox = await open(sandboxes, arena)
      const refused = await applyPatch(sandbox, { name, bytes: bytes(patch) }, verifyLimits)
      seen[name] = { applies: refused === null, tree: await listed(sandbox) }
      await sandbox.destroy()
    }
    found.push(seen)
  }
  t.same(found[1], found[0])
  t.same(Object.entries(found[0]!).flatMap(([name, seen]) => (seen as { applies: boolean }).applies ? [name] : []), ['value', 'twoFiles', 'tests', 'syntax'])
})

t.test('a solver\'s tree has the same commit, and its attempts the same bytes', async t => {
  const both = await openBoth(t)
  if (both === null) return
  const found: { base: string; diffs: string[]; tests: string }[] = []
  for (const [, sandboxes, arena] of both.kinds) {
    const sandbox = await open(sandboxes, arena)
    await keepTestFiles(sandbox, ['tests/test_m1.py'], verifyLimits)
    const base = await prepareTree(sandbox, 'a tree', [{ name: 'bug', bytes: bytes(patches.twoFiles) }, { name: 'tests', bytes: bytes(patches.tests) }])
    const diffs = [await taken(sandbox, base)]
    const tool = async (call: Parameters<typeof executeTool>[1]): Promise<void> => { t.equal((await executeTool(sandbox, call, toolLimits)).exitCode, 0) }
    await tool({ tool: 'edit', path: 'src/m0.py', search: 'rule_0 = 1', replace: 'rule_0 = 77' })
    diffs.push(await taken(sandbox, base))
    await tool({ tool: 'create', path: 'src/m3.py', content: `!syntax\n${withValue(withValue(original.get('src/m3.py')!, 'pair', 3), 'spare', 9)}no_newline = 1` })
    await tool({ tool: 'create', path: 'src/new/deep.py', content: 'value = 1\n' })
    diffs.push(await taken(sandbox, base))
    await restoreTestFiles(sandbox, verifyLimits)
    found.push({ base, diffs, tests: (await listed(sandbox)).get('tests/test_m1.py')! })
    await sandbox.destroy()
  }
  t.equal(found[1]!.base, found[0]!.base)
  t.same(found[1]!.diffs, found[0]!.diffs)
  t.equal(found[0]!.diffs[0], '')
  t.match(found[0]!.diffs[2], /new file mode/)
  t.equal(found[1]!.tests, original.get('tests/test_m1.py'))
  t.equal(found[0]!.tests, original.get('tests/test_m1.py'))
})

t.test('a solver\'s tree is searched for leaks, and has none', async t => {
  const none = new Uint8Array()
  const bug = createBug({ testScript: none, testFiles: none, testParser: none, parserName: 'test_parser.py', bugInject: bytes(patches.twoFiles), testWeaken: bytes(patches.tests), predPatch: null })
  for (const [kind, sandboxes, arena] of (await openBoth(t))?.kinds ?? []) {
    const sandbox = await open(sandboxes, arena)
    const commit = await prepareSolverTree(sandbox, bug)
    t.same(await scanSolverTree(sandbox, { bug, arena, commit }, createLeakMemory()), [], kind)
    await sandbox.destroy()
  }
})

t.test('files are read and refused alike', async t => {
  const both = await openBoth(t)
  if (both === null) return
  const found: unknown[] = []
  for (const [, sandboxes, arena] of both.kinds) {
    const sandbox = await open(sandboxes, arena)
    const code = async (work: Promise<unknown>): Promise<unknown> => await work.then(value => value instanceof Uint8Array ? Buffer.from(value).toString() : value, (error: { code: string }) => error.code)
    found.push([
      await code(sandbox.readFile('README.md', 1000)), await code(sandbox.readFile('none', 1000)), await code(sandbox.readFile('README.md', 3)), await code(sandbox.readFile('src', 1000)),
      await code(sandbox.writeFile('src', new Uint8Array())), await code(sandbox.writeFile(`${sandbox.scratch}/a/b`, bytes('x'))), await code(sandbox.readFile(`${sandbox.scratch}/a/b`, 10))
    ])
    await sandbox.destroy()
    t.equal(await code(sandbox.readFile('README.md', 1000)), 'SANDBOX_LOST')
  }
  t.same(found[1], found[0])
})

t.test('a command that nobody knows is a defect', async t => {
  const sandbox = await open(createSimulatedMachine().connect({ owner: 'one', clock: { ...systemClock, now: () => 0, sleep: async () => {} }, random: createRandom(1) }), arena)
  await t.rejects(sandbox.exec('git gc', { timeoutMs: 1000, outputBytesMax: 1000 }), /knows no such command: git gc/)
})

const open = async (sandboxes: Sandboxes, arena: Arena): Promise<Sandbox> => await sandboxes.open({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'compare' } })

async function listed (sandbox: Sandbox): Promise<Texts> {
  const { text, exitCode } = await executeTool(sandbox, { tool: 'bash', command: listCommand }, toolLimits)
  if (exitCode !== 0) throw new Error(text)
  return readListing(text)
}

async function taken (sandbox: Sandbox, base: string): Promise<string> {
  const submission = await collectPatch(sandbox, base)
  if ('refused' in submission) throw new Error(submission.refused)
  return Buffer.from(submission.kept).toString()
}
