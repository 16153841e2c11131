// Goal: what is exported does what its format promises. Method: a run with real diffs, exported, and the patches of each
// format applied by git to the trees that they are for. The patches are the test's own.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createBug, createManifest, writeArtifact } from '../../src/artifact/index.ts'
import { exportRun, type Format } from '../../src/export/index.ts'
import { lineId } from '../../src/export/grading.ts'
import { sampleLine } from '../../src/export/samples.ts'
import type { SwebenchInstance } from '../../src/export/swebench.ts'
import type { SwesmithInstance } from '../../src/export/swesmith.ts'
import { createSandboxes } from '../../src/sandbox/index.ts'
import { settleId } from '../../src/run/ids.ts'
import type { Sample } from '../../src/run/results.ts'
import type { SettledEpisode } from '../../src/run/settle.ts'
import { applyHere, f2p, makeRun, p2p, patchedTree, readTree, type RunFixture } from '../helpers/run-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const base = testFolder(t)
const fixture = await makeRun(base)
const sandboxes = await createSandboxes({ kind: 'process', home: join(base, 'home') })
t.teardown(() => sandboxes.close())

const openTree = () => sandboxes.open({ arena: fixture.arena, view: 'tree', network: 'none', label: { run: 'run', purpose: 'export' } })
const write = (format: Format, out: string, from: RunFixture = fixture) => exportRun(from.store, { format, out, orderMax: 2, image: null }, openTree)
const lines = <Line> (path: string): Line[] => readFileSync(path, 'utf8').split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Line)

let folders = 0
const tree = (...patches: string[]): string => {
  const folder = join(base, `tree-${++folders}`)
  mkdirSync(folder)
  return patchedTree(fixture, folder, patches.map(patch => Buffer.from(patch)))
}
const original = readTree(tree())
const isTest = ([path]: [string, string]): boolean => path.startsWith('test/')
const sources = (files: Record<string, string>): object => Object.fromEntries(Object.entries(files).filter(entry => !isTest(entry)))
const tests = (files: Record<string, string>): object => Object.fromEntries(Object.entries(files).filter(isTest))

t.test('the gold patch of SWE-bench restores the sources and the test patch the tests, also of the second order', async t => {
  const out = join(base, 'swebench')
  t.match(await write('swebench', out), { format: 'swebench', out, instances: 2, leftOut: [] })
  const instances = lines<SwebenchInstance>(join(out, 'instances.jsonl'))
  t.strictSame(instances.map(instance => [instance.bug_order, instance.instance_id]), [[1, `Some-One__tiny-${fixture.bug.id.slice(4)}`], [2, `Some-One__tiny-${fixture.second.id.slice(4)}`]])
  for (const instance of instances) {
    const folder = tree(instance.setup_patch)
    const broken = readTree(folder)
    t.notSame(sources(broken), sources(original))
    t.notSame(tests(broken), tests(original))
    applyHere(folder, Buffer.from(instance.patch))
    t.strictSame(sources(readTree(folder)), sources(original), 'the sources are the original again')
    t.strictSame(tests(readTree(folder)), tests(broken), 'and the tests untouched')
    applyHere(folder, Buffer.from(instance.test_patch))
    t.strictSame(readTree(folder), original)
    t.strictSame([JSON.parse(instance.FAIL_TO_PASS), JSON.parse(instance.PASS_TO_PASS)], [f2p, p2p])
    t.equal(instance.created_at, '2023-11-14T22:13:21.000Z')
  }
  t.ok(instances[1]!.setup_patch.includes('left over.js'), 'the attempt of the second order is in its setup')
  t.equal(instances[1]!.parent_bug_id, fixture.bug.id)
})

t.test('the patch of SWE-smith makes the bug, and its reverse is the gold patch', async t => {
  const out = join(base, 'swesmith')
  await write('swesmith', out)
  const instances = lines<SwesmithInstance>(join(out, 'instances.jsonl'))
  t.equal(instances.length, 2)
  for (const instance of instances) {
    t.match(instance.instance_id, /^Some-One__tiny\.c0ffee00\.ssr_removal(_order2)?__[0-9a-f]{8}$/)
    t.strictSame([instance.FAIL_TO_PASS, instance.PASS_TO_PASS, instance.repo], [f2p, p2p, 'swesmith/Some-One__tiny.c0ffee00'])
    const folder = tree(instance.patch, instance.test_weaken_patch)
    execFileSync('git', ['apply', '--reverse', '-'], { cwd: folder, input: instance.patch, env: { ...process.env, GIT_DIR: '/dev/null' } })
    t.strictSame(sources(readTree(folder)), sources(original))
  }
})

t.test('a Harbor task keeps the gold patch from its solver and holds the tree and the environment', async t => {
  const out = join(base, 'harbor')
  t.match(await write('harbor', out), { instances: 2 })
  const task = join(out, `some-one__tiny-${fixture.second.id.slice(4)}`)
  const instruction = readFileSync(join(task, 'instruction.md'), 'utf8')
  t.match(instruction, /I am improving the test suite/)
  t.match(instruction, /\+report\('adds one', add\(4\) === 4\)/)
  t.notMatch(instruction, /undefined\) return a/, 'nothing of the bug')
  t.strictSame(readdirSync(join(task, 'environment')).sort(), ['Dockerfile', 'environment.tar', 'setup', 'tree.tar'])
  const packed = execFileSync('tar', ['-tf', join(task, 'environment', 'environment.tar')], { encoding: 'utf8' })
  t.ok(packed.includes(join(fixture.arena.dir, 'env', 'note.txt').slice(1)), 'the environment comes to its own path')
  const folder = tree(readFileSync(join(task, 'environment', 'setup', 'setup.diff'), 'utf8'))
  applyHere(folder, readFileSync(join(task, 'solution', 'gold.diff')))
  t.strictSame(sources(readTree(folder)), sources(original))
  for (const script of ['tests/test.sh', 'solution/solve.sh', 'environment/setup/setup.sh']) execFileSync('bash', ['-n', join(task, script)])
})

t.test('samples carry the settled reward and the messages, one line each for every reader', async t => {
  const out = join(base, 'jsonl')
  t.match(await write('jsonl', out), { instances: 9 })
  const text = readFileSync(join(out, 'samples.jsonl'), 'utf8')
  t.equal(text.split(/[\n\u0085\u2028\u2029]/).length, 10)
  const samples = lines<{ rollout_id: string; group_id: string; group_size: number; reward: number | null; advantage: number | null; messages: { content: string }[] | null }>(join(out, 'samples.jsonl'))
  const of = (id: string) => samples.find(sample => sample.rollout_id === id)!
  t.ok(Math.abs(of('e0001.break').reward! - 0.1) < 1e-9)
  t.equal(of('e0001.solve.1.0').reward, 1)
  t.equal(of('e0001.solve.1.1').reward, -1)
  t.equal(of('e0001.solve.1.0').messages![1]!.content, 'lib\u2028test\n')
  t.equal(of('e0001.solve.1.0').group_size, samples.filter(({ group_id }) => group_id === 'e0001.1').length)
  t.match(of('e0001.solve.1.2'), { reward: null, advantage: null, messages: null }, 'lost to infrastructure: null, not zero')
})

t.test('a sample of before groups said their size is carried without one', async t => {
  // The type says that every sample has one.
  const folder = join(base, 'older')
  mkdirSync(folder)
  const older = await makeRun(folder)
  const { group_size: _, ...sample } = older.store.samples.all()[0]!
  t.equal((sampleLine(older.store, sample as Sample) as { group_size: number | null }).group_size, null)
})

t.test('an export replaces an earlier one and nothing else', async t => {
  const out = join(base, 'again')
  await write('swesmith', out)
  const first = readFileSync(join(out, 'instances.jsonl'), 'utf8')
  await write('swesmith', out)
  t.equal(readFileSync(join(out, 'instances.jsonl'), 'utf8'), first)
  const mine = join(base, 'mine')
  mkdirSync(mine)
  writeFileSync(join(mine, 'notes.txt'), 'mine')
  await t.rejects(write('jsonl', mine), { code: 'EXPORT_FOLDER_NOT_EMPTY' })
  t.strictSame(readdirSync(mine), ['notes.txt'])
  t.strictSame(readdirSync(base).filter(name => name.endsWith('.draft')), [])
})

t.test('a bug whose patch is no UTF-8 is left out of the formats that are text, and says so', async t => {
  const folder = join(base, 'other')
  mkdirSync(folder)
  const other = await makeRun(folder)
  const { files } = other.bug
  const bytes = Buffer.concat([Buffer.from('diff --git a/lib/x.js b/lib/x.js\nnew file mode 100644\n--- /dev/null\n+++ b/lib/x.js\n@@ -0,0 +1 @@\n+// caf'), Buffer.from([0xe9, 0x0a])])
  const latin = createBug({ ...files, bugInject: Buffer.concat([files.bugInject, bytes]) })
  await writeArtifact(other.store.bugDir(latin.id), latin, createManifest(latin, other.arena, { params: { minPassing: 1, minFiles: 1, minFailing: 1 }, strategy: 'removal', seed: 1, policy: null, verdict: null }))
  const settled = other.store.result<SettledEpisode>(settleId('e0001'))!
  other.store.keepResult(settleId('e0001'), { ...settled, bugs: [{ ...settled.bugs[0]!, bugId: latin.id }] })
  t.match(await write('swebench', join(folder, 'out'), other), { instances: 0, leftOut: [{ bug: latin.id }] })
  t.match(await write('harbor', join(folder, 'out'), other), { instances: 1 })
  t.ok(readFileSync(join(folder, 'out', `some-one__tiny-${latin.id.slice(4)}`, 'solution', 'gold.diff')).includes(0xe9))
  t.notOk(existsSync(join(folder, 'out', 'instances.jsonl')), 'the earlier export is gone')
})

t.test('a test id that would not come back from a line is written as JSON', async t => {
  t.equal(lineId('a.test.js::größe > "up"'), 'a.test.js::größe > "up"')
  for (const id of [' a', 'a ', 'a\nb', '"a"', 'a\u2028b', 'a\tb']) t.equal(JSON.parse(lineId(id)), id)
})
