// Goal: only a patch that repairs the bug is solved; what the attempt does is its failure, what we do is no result.
// Method: the fixture's bug, patches of every kind, real sandboxes.

import t from 'tap'
import { SparError } from '../../src/errors.ts'
import { createBug, reversePatch } from '../../src/artifact/index.ts'
import type { Bug, Grade } from '../../src/domain.ts'
import type { Sandbox, SandboxSpec } from '../../src/ports.ts'
import { followGrade } from '../../src/reverify/grade.ts'
import { createNotes } from '../../src/reverify/notes.ts'
import { gradeAttempt, oraclePatch, prepareSolverTree, verifyLimits, type GradeRequest, type VerifyPorts } from '../../src/verify/index.ts'
import { applied, diffOf, text, type Content, type Files } from '../artifact/git.ts'
import { changed, makeBug, openLab, original, valid, type Recipe } from './fixture.ts'

const bug = makeBug(valid)
const solverTree = changed(original, { ...valid.bug, ...valid.weaken })
const expected = {
  f2p: ['test/numbers.test.js::adds'],
  p2p: ['data', 'odd', 'pair', 'size'].map(name => `test/files.test.js::${name}`).concat('test/numbers.test.js::subtracts', 'test/numbers.test.js::zero', 'test/words.test.js::down', 'test/words.test.js::up')
}
const patchOf = (changes: Record<string, Content | null>, tree: Files = solverTree): Buffer => diffOf(tree, changed(tree, changes)).patch
const repair = { 'src/add.js': text('exports.add = (a, b) => b + a\nexports.sub = (a, b) => a - b\n') }

const table: [string, Uint8Array | string, boolean, string][] = [
  ['the repair', patchOf(repair), true, 'solved'],
  ['the bug backwards', reversePatch(bug.files.bugInject), true, 'solved'],
  ['the repair and a new test', patchOf({ ...repair, 'test/more.test.js': text('') }), true, 'solved'],
  ['nothing', '', false, 'empty'],
  ['white space', ' \n', false, 'empty'],
  ['words', 'I could not do it\n', false, 'inapplicable'],
  ['a patch for another tree', diffOf({ 'src/add.js': text('x\n') }, { 'src/add.js': text('y\n') }).patch, false, 'inapplicable'],
  ['a change that repairs nothing', patchOf({ 'src/unused.js': text('') }), false, 'failing'],
  ['a repair that breaks something else', patchOf({ ...repair, 'src/words.js': text('exports.up = x => x\nexports.down = x => x\n') }), false, 'failing'],
  ['a syntax error', patchOf({ 'src/add.js': text('}\n') }), false, 'failing'],
  ['a change of a listed test', patchOf({ ...repair, 'test/numbers.test.js': text('') }), false, 'forbidden'],
  ['a file in place of the test folder', 'diff --git a/test b/test\nnew file mode 100644\n--- /dev/null\n+++ b/test\n@@ -0,0 +1 @@\n+x\n', false, 'forbidden'],
  ['a change of the manifest', patchOf({ ...repair, 'package.json': text('{}\n') }), false, 'forbidden'],
  ['a conftest', patchOf({ ...repair, 'conftest.py': text('') }), false, 'forbidden'],
  ['a patch that reaches outside', patchOf(repair).toString().replaceAll('src/add.js', '../add.js'), false, 'forbidden'],
  ['an early exit', patchOf({ 'src/add.js': text('process.exit(0)\n') }), false, 'no_results'],
  ['a late exit', patchOf({ ...repair, 'src/pair-a.js': text('exports.a = true\nprocess.on("exit", () => { process.exitCode = 3 })\n') }), false, 'crashed'],
  ['an endless loop', patchOf({ 'src/add.js': text('while (true);\n') }), false, 'crashed'],
  ['a flood', patchOf({ 'src/add.js': text('while (true) console.log("x".repeat(1e5))\n') }), false, 'crashed']
]

t.test('an attempt is graded by what it repairs', async t => {
  const lab = await openLab(t)
  const request = (patch: Uint8Array | string): GradeRequest => ({ bug, arena: lab.arena(), expected, patch: Buffer.from(patch as string), run: 'test', limits: { scriptMsMax: 4000, scriptOutputBytesMax: 2 ** 20 } })
  for (const [what, patch, solved, outcome] of table) {
    const grade = await gradeAttempt(request(patch), lab.ports)
    t.strictSame([grade.solved, grade.outcome], [solved, outcome], `${what}: ${grade.reason}`)
    const notes = createNotes()
    await followGrade('grade', grade, request(patch), notes)
    t.strictSame(notes.differences, [], `${what}: it follows from its own evidence`)
  }
  const failing = await gradeAttempt(request(patchOf({ 'src/unused.js': text('') })), lab.ports)
  t.strictSame([failing.failing, failing.missing], [['test/numbers.test.js::adds'], []])
  const missing = await gradeAttempt(request(patchOf({ 'src/add.js': text('}\n') })), lab.ports)
  t.ok(missing.missing.includes('test/numbers.test.js::adds'))
  t.strictSame(lab.left(), [])
})

t.test('an attempt that fails only what the bug does not touch runs once more', async t => {
  const chancy = { 'test/files.test.js': text(`${original['test/files.test.js']!.bytes}check('chance', () => same(require('node:fs').existsSync('chance'), false))\n`) }
  const files = changed(original, chancy)
  const tree = changed(files, { ...valid.bug, ...valid.weaken })
  const lab = await openLab(t)
  const steady = { ...expected, p2p: [...expected.p2p, 'test/files.test.js::chance'] }
  const honest = patchOf(repair, tree)
  const wrong = patchOf({ 'src/unused.js': text('') }, tree)
  const breaking = patchOf({ ...repair, 'src/words.js': text('exports.up = x => x\nexports.down = x => x\n') }, tree)
  // Whoever passes has a control run besides.
  for (const [what, patch, unlucky, outcome, runs] of [
    ['a run of bad luck', honest, 1, 'solved', 3], ['a test that fails twice', honest, 2, 'failing', 2], ['no bad luck', honest, 0, 'solved', 2],
    ['what does not repair the bug', wrong, 1, 'failing', 1], ['what breaks something', breaking, 0, 'failing', 2]
  ] as const) {
    let opened = 0
    const open = async (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> => {
      const sandbox = await lab.sandboxes.open(spec, signal)
      if (spec.label.purpose === 'grade' && opened++ < unlucky) await sandbox.writeFile('chance', Buffer.from('bad'))
      return sandbox
    }
    const request: GradeRequest = { bug: makeBug({ ...valid, original: chancy }), arena: lab.arena(chancy), expected: steady, patch, run: 'test' }
    const grade = await gradeAttempt(request, { ...lab.ports, sandboxes: { open } })
    t.strictSame([grade.outcome, opened, grade.findings!.some(finding => finding.startsWith('flaky: '))], [outcome, runs, what === 'a run of bad luck'], `${what}: ${grade.reason}`)
    const notes = createNotes()
    await followGrade('grade', grade, request, notes)
    t.strictSame(notes.differences, [], `${what}: it follows from its own evidence`)
  }
})

t.test('what is our fault has no result', async t => {
  const lab = await openLab(t)
  const request: GradeRequest = { bug, arena: lab.arena(), expected, patch: patchOf(repair), run: 'test' }
  const undecided = (grade: Grade, code: string): void => {
    t.strictSame([grade.solved, grade.outcome, grade.evidence['code']], [null, 'infra_fault', code], grade.reason)
  }
  for (const purpose of ['grade', 'parser']) {
    const losing: Pick<VerifyPorts, 'sandboxes'> = {
      sandboxes: {
        async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
          const sandbox = await lab.sandboxes.open(spec, signal)
          if (spec.label.purpose === purpose) void sandbox.exec('sleep 0.05', { timeoutMs: 9000, outputBytesMax: 10 }).then(async () => await sandbox.destroy(), () => {})
          return sandbox
        }
      }
    }
    undecided(await gradeAttempt(request, { ...lab.ports, ...losing }), 'SANDBOX_LOST')
  }
  undecided(await gradeAttempt(request, { ...lab.ports, sandboxes: { open: async () => { throw new SparError('SANDBOX_LOST', 'no', { retryable: true }) } } }), 'SANDBOX_LOST')
  undecided(await gradeAttempt(request, lab.ports, AbortSignal.abort()), 'ABORTED')
  const misfit = makeBug({ ...valid, files: { bugInject: diffOf({ 'src/add.js': text('x\n') }, { 'src/add.js': text('y\n') }).patch } })
  undecided(await gradeAttempt({ ...request, bug: misfit }, lab.ports), 'BUG_INAPPLICABLE')
  t.strictSame(lab.left(), [])
})

t.test('a deadline that the original tree misses too is our fault', async t => {
  const lab = await openLab(t)
  const slow = makeBug({ ...valid, files: { testScript: 'sleep 60\n' } })
  const grade = await gradeAttempt({ bug: slow, arena: lab.arena(), expected, patch: patchOf(repair), run: 'test', limits: { scriptMsMax: 300 } }, lab.ports)
  t.strictSame([grade.solved, grade.outcome], [null, 'infra_fault'])
})

const spec = (arena: SandboxSpec['arena']): SandboxSpec => ({ arena, view: 'tree', network: 'none', label: { run: 'test', purpose: 'solver' } })

t.test('a solver’s tree is one commit of exactly the buggy, weakened files', async t => {
  const lab = await openLab(t)
  const leftovers: Recipe['original'] = {
    '.gitignore': text('build/\n*.log\n'), 'build/old.js': text('old\n'), 'kept.log': text('tracked though ignored\n'), 'src/add.js.orig': text('old\n'), 'src/__pycache__/add.pyc': text('old\n'), 'node_modules/dep/index.js': text('dep\n')
  }
  const commits = new Set<string>()
  for (let round = 0; round < 2; round++) {
    const sandbox = await lab.sandboxes.open(spec(lab.arena(leftovers)))
    commits.add(await prepareSolverTree(sandbox, bug))
    const run = async (command: string): Promise<string> => Buffer.from((await sandbox.exec(command, { timeoutMs: 30_000, outputBytesMax: 2 ** 20 })).output).toString()
    t.equal(await run('git status --porcelain'), '', 'nothing is untracked or changed')
    t.equal((await run('git rev-list --all | wc -l')).trim(), '1')
    const listed = (await run('git ls-tree -r -z --name-only HEAD')).split('\0').filter(path => path !== '').toSorted()
    t.strictSame(listed, [...Object.keys(solverTree), '.gitignore', 'kept.log'].toSorted())
    const objects = (await run('git cat-file --batch-all-objects --batch-check | wc -l')).trim()
    t.equal(objects, (await run('{ git rev-list --objects HEAD; } | cut -d" " -f1 | sort -u | wc -l')).trim(), 'every object belongs to the commit')
    t.match(await run('ls node_modules/dep build src 2>&1'), /index\.js/)
    t.equal(await run(`cat src/add.js; ls -d build src/*.orig src/__pycache__ 2>/dev/null; ls ${sandbox.scratch}`), valid.bug['src/add.js']!.bytes.toString(), 'no leftover, in the scratch folder neither')
    t.match(await run('echo x > src/add.js && git diff --stat'), /src\/add\.js/)
    await sandbox.destroy()
  }
  t.equal(commits.size, 1, 'the same commit each time')
})

t.test('the oracle is the weakening backwards', async t => {
  const oracle = oraclePatch(bug)
  t.match(oracle, /^\+check\('adds'/m)
  t.strictSame(applied(solverTree, Buffer.from(oracle)), changed(original, valid.bug))
})

t.test('a bug of order 2 is prepared and graded with the failed attempt on top', async t => {
  const lab = await openLab(t)
  const failed = { 'src/add.js': text('exports.add = (a, b) => a * b\nexports.sub = (a, b) => a - b\n') }
  const second: Bug = createBug({ ...bug.files, predPatch: new Uint8Array(patchOf(failed)) }, bug.id)
  const sandbox = await lab.sandboxes.open(spec(lab.arena()))
  await prepareSolverTree(sandbox, second)
  t.match(Buffer.from(await sandbox.readFile('src/add.js', 1000)).toString(), /a \* b/)
  await sandbox.destroy()
  const request = (patch: Buffer): GradeRequest => ({ bug: second, arena: lab.arena(), expected, patch, run: 'test', limits: verifyLimits })
  t.match(await gradeAttempt(request(patchOf(repair, changed(solverTree, failed))), lab.ports), { solved: true })
  t.match(await gradeAttempt(request(patchOf(repair)), lab.ports), { solved: false, outcome: 'inapplicable' })
})
