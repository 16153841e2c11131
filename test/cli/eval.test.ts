// Goal: a solver is measured on issues by SWE-bench's truth table, and what went wrong on our side counts for nothing. Method:
// bugs of a real run go out as instances and come back with patches whose verdict is known; then an issue in words, on a
// commit of a repository, is played by a model that repairs it from the words alone.

import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { EvalSummary } from '../../src/eval/results.ts'
import type { SwebenchInstance } from '../../src/export/swebench.ts'
import { startFakeServer } from '../helpers/fake-server.ts'
import { status } from '../helpers/fake-server/faults.ts'
import { makeScriptedRepository } from '../helpers/scripted-model.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const cwd = testFolder(t)
const home = join(cwd, 'home')
const repository = makeScriptedRepository(join(cwd, 'numbers'))
const run = (...args: string[]): Promise<Ran> => spar([...args, '--sandbox', 'process', '--json'], { home, cwd })
const lines = <Line> (path: string): Line[] => readFileSync(path, 'utf8').split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Line)
const write = (name: string, values: readonly object[]): string => {
  writeFileSync(join(cwd, name), values.map(value => JSON.stringify(value) + '\n').join(''))
  return join(cwd, name)
}
const endings = (summary: EvalSummary): object => Object.fromEntries(summary.instances.map(({ instance_id: id, attempts }) => [id, attempts.map(({ outcome }) => outcome)]))
const git = (folder: string, ...args: string[]): string => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: folder, encoding: 'utf8' })

t.test('bugs of a run are evaluated as instances', { timeout: 300_000 }, async t => {
  const played = await run('play', repository, '--episodes', '1', '--group', '1', '--max-order', '1', '--min-passing', '5', '--min-files', '1', '--out', join(cwd, 'run'))
  t.equal(played.code, 0, played.err)
  t.equal((await spar(['export', join(cwd, 'run'), '--format', 'swebench', '--max-order', '1'], { home, cwd })).code, 0)
  const [bug] = lines<SwebenchInstance>(join(cwd, 'run/export/swebench/instances.jsonl'))
  if (bug === undefined) return t.fail(`no bug was made: ${played.err}`)

  t.test('the reference resolves; no change, a change of tests and a wrong change do not; a commit that is not there is an error', async t => {
    const as = (id: string, more: object = {}): object => ({ ...bug, instance_id: id, ...more })
    const tasks = write('tasks.jsonl', [as('gold'), as('nothing'), as('wrong'), as('tests'), as('unreadable'), as('elsewhere', { base_commit: '1'.repeat(40) }), as('broken', { setup_patch: bug.setup_patch.replaceAll('exports.', 'export.') })])
    const added = (path: string): string => `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+// nothing\n`
    const predictions = write('predictions.jsonl', Object.entries({ gold: bug.patch, wrong: added('other.js'), tests: bug.patch + bug.test_patch, unreadable: 'diff --git nonsense', elsewhere: bug.patch, broken: bug.patch })
      .map(([id, patch]) => ({ instance_id: id, model_name_or_path: 'test', model_patch: patch })))
    const ran = await run('eval', tasks, '--predictions', predictions, '--arena', repository, '--out', join(cwd, 'graded'))
    t.equal(ran.code, 2, ran.err)
    t.match(ran.json, { resolved: 1, unresolved: 3, empty: 1, error: 2, resolvedShare: 1 / 5, resolved_ids: ['gold'], error_ids: ['elsewhere', 'broken'] })
    t.same(endings(ran.json as EvalSummary), { gold: ['resolved'], nothing: ['empty'], wrong: ['unresolved'], tests: ['unresolved'], unreadable: ['unresolved'], elsewhere: ['error'], broken: ['error'] })
    t.same(lines<{ instance_id: string; model_patch: string }>(join(cwd, 'graded/predictions.jsonl')).map(({ instance_id: id, model_patch: patch }) => [id, patch === bug.patch]),
      [['gold', true], ['nothing', false], ['wrong', false], ['tests', false], ['unreadable', false]], 'an error is no prediction')
    t.match(await run('eval', tasks, '--predictions', predictions, '--arena', repository, '--out', join(cwd, 'graded')), { code: 2, err: /EVAL_EXISTS/ })
    t.match(await run('eval', tasks, '--predictions', 'gold', '--arena', repository, '--out', join(cwd, 'graded'), '--resume'), { code: 64, err: /OPTION_DIFFERS/ })
    const resumed = await run('eval', tasks, '--predictions', predictions, '--arena', repository, '--out', join(cwd, 'graded'), '--resume')
    t.same(resumed.json, ran.json)
    t.notMatch(resumed.err, /resolved +gold/, 'what has a verdict is not made again')
  })

  t.test('the procedural solver plays', async t => {
    // One more, in whose tree a copy of the original lies.
    const path = /^\+\+\+ b\/(.*)$/m.exec(bug.patch)![1]!
    const copy = readFileSync(join(repository, path), 'utf8').trimEnd().split('\n')
    const leak = `diff --git a/old/copy.txt b/old/copy.txt\nnew file mode 100644\n--- /dev/null\n+++ b/old/copy.txt\n@@ -0,0 +1,${copy.length} @@\n${copy.map(line => `+${line}\n`).join('')}`
    const ran = await run('eval', write('own.jsonl', [bug, { ...bug, instance_id: 'leaky', setup_patch: bug.setup_patch + leak }]), '--arena', repository, '--attempts', '2', '--out', join(cwd, 'procedural'))
    t.equal(ran.code, 0, ran.err)
    const { resolved, unresolved, empty, error, labelled, instances } = ran.json as EvalSummary
    t.same([resolved + unresolved + empty, error, labelled], [4, 0, 2])
    t.match(instances.map(({ attempts }) => attempts.map(({ findings }) => findings)), [[[], []], [[/^leak-.*old\/copy\.txt/], [/^leak-.*old\/copy\.txt/]]])
    t.match(readFileSync(join(cwd, `procedural/transcripts/${bug.instance_id}.2.md`), 'utf8'), /^# .*solver/)
    t.equal(lines(join(cwd, 'procedural/predictions-2.jsonl')).length, 2)
  })
})

t.test('an issue in words is played by a model that never sees its tests', { timeout: 300_000 }, async t => {
  const folder = makeScriptedRepository(join(cwd, 'issue'))
  const source = readFileSync(join(folder, 'numbers.js'), 'utf8')
  const tests = readFileSync(join(folder, 'test/numbers.test.js'), 'utf8')
  writeFileSync(join(folder, 'numbers.js'), source.replace('a < 0 ? 0 : a > b ? b : a', 'a < 0 ? 0 : a'))
  writeFileSync(join(folder, 'test/numbers.test.js'), tests.replace(/test\('clamp'.*\n/, ''))
  git(folder, 'commit', '-qam', 'before')
  const base = git(folder, 'rev-parse', 'HEAD').trim()
  writeFileSync(join(folder, 'test/numbers.test.js'), tests)
  const testPatch = git(folder, 'diff')
  git(folder, 'commit', '-qam', 'after')
  appendFileSync(join(folder, 'numbers.js'), '// later\n')
  git(folder, 'commit', '-qam', 'later')
  const instance = {
    repo: folder, base_commit: base, test_patch: testPatch, problem_statement: 'clamp ignores its {{upper}} bound.',
    FAIL_TO_PASS: JSON.stringify(['test/numbers.test.js::clamp']), PASS_TO_PASS: JSON.stringify(['test/numbers.test.js::add', 'test/numbers.test.js::average'])
  }
  const call = (tool: string, body: string): string => `I go on.\n<tool: ${tool}>\n${body}\n</tool>`
  const repair = 'numbers.js\n<<<<<<< SEARCH\nexports.clamp = (a, b) => a < 0 ? 0 : a\n=======\nexports.clamp = (a, b) => a < 0 ? 0 : a > b ? b : a\n>>>>>>> REPLACE'
  const server = await startFakeServer({
    kind: 'vllm', contextTokensMax: 200_000,
    reply: conversation => ({ content: [call('edit', repair), call('bash', 'echo "throw new Error()" > test/numbers.test.js'), call('submit', '')][conversation.filter(({ role }) => role === 'assistant').length] ?? '' })
  })
  t.teardown(() => server.close())
  const tasks = write('issue.jsonl', [{ ...instance, instance_id: 'a__b-1' }])
  const ran = await run('eval', tasks, '--solver', `openai=${server.url}`, '--model', 'fake', '--tools', 'text', '--out', join(cwd, 'model'))
  t.equal(ran.code, 0, ran.err)
  t.match(ran.json, { resolved: 1, error: 0, resolved_ids: ['a__b-1'] }, 'what it did to the tests is put back')
  const told = JSON.stringify(server.turns.map(({ body }) => body))
  t.match(told, /clamp ignores its \{\{upper\}\} bound/)
  t.notMatch(told, /test\('clamp'/)
  t.match(await run('eval', tasks), { code: 64, err: /reads no issue/ })
  t.match(await run('eval', tasks, '--solver', `openai=${server.url}`, '--model', 'other', '--out', join(cwd, 'misnamed')), { code: 64, err: /"other".*serves "fake"/ })
  t.notOk(existsSync(join(cwd, 'misnamed')), 'nothing is left of it')

  t.test('a server that fails is an error, and is asked again', async t => {
    const gone = await startFakeServer({ kind: 'vllm' })
    t.teardown(() => gone.close())
    gone.failAll(status(404))
    const ran = await run('eval', tasks, '--solver', `openai=${gone.url}`, '--model', 'fake', '--out', join(cwd, 'gone'))
    t.match(ran, { code: 2, json: { error: 1, resolvedShare: null, instances: [{ attempts: [{ outcome: 'error', tries: 3, reason: /SERVER_REFUSED/ }] }] } })
  })
})
