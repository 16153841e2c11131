import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run } from '../../src/cli/show.ts'
import { renderBug, viewBug } from '../../src/cli/show-bug.ts'
import { findBug } from '../../src/cli/find-bug.ts'
import { makeRun } from '../helpers/run-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const base = testFolder(t)
const { store, bug, second, rejected } = await makeRun(base)

async function show (...args: string[]): Promise<string> {
  const lines: string[] = []
  await run(args, { out: line => lines.push(line), err: () => {} })
  return lines.join('\n')
}

t.test('a run shows its table, what was rejected and why, what failed, and where things are', async t => {
  const text = await show(store.dir)
  for (const part of [bug.id, `└ ${second.id}`, 'restoring "lib/add.js" repairs no test', 'episode 3: policy_fault: gave up', 'e0001.solve.1.2: the sandbox was lost [SANDBOX_LOST]', 'episodes 4;', '3 dispatched = 1 settled + 1 cancelled + 1 quarantined', 'samples.jsonl']) {
    t.ok(text.includes(part), part)
  }
  t.match(JSON.parse(await show(store.dir, '--json')), { run: 'run', unsettled: [4], rejections: [{ id: rejected.id, check: 'inverse' }], failures: [{ episode: 3 }], quarantine: [{ code: 'SANDBOX_LOST' }], bugs: [{ id: bug.id }, { id: second.id }] })
})

t.test('a bug shows lineage, diffs, tests, checks with their runs, and every attempt', async t => {
  const text = await show(store.dir, bug.id.slice(0, 10))
  for (const part of [`${bug.id}: valid`, 'c0ffee00', 'procedural-breaker 1', '-  return a + b', 'FAIL_TO_PASS (4)', 'test/extra.test.js::größe', 'Checks: all hold', '120 ms', 'Attempts: 1 of 2 scored solve it (3 dispatched)', '1/2', 'attempts/e0001.solve.1.1.diff', '+1 −0  lib/left over.js', 'transcripts/e0001.solve.1.0.md', 'the sandbox was lost']) {
    t.ok(text.includes(part), part)
  }
  const after = await show(store.dir, second.id)
  t.ok(after.includes('pred_patch.diff') && after.includes(`2, after ${bug.id}`))
  t.match(JSON.parse(await show(store.dir, bug.id, '--json')), { id: bug.id, state: 'valid', verdict: { f2p: { length: 4 } }, attempts: [{ solved: true }, { solved: false, deliveries: { solve: 1, grade: 2 } }, { outcome: 'infra_fault', solved: null }] })
})

t.test('a rejected bug shows the check that fails', async t => {
  const text = await show(store.dir, rejected.id)
  t.match(text, /rejected by "inverse"/)
  t.match(text, /inverse +✗ fail +restoring/)
  t.match(text, /No attempts/)
})

t.test('nothing that a model wrote reaches the terminal as a command; only diffs have colour, and only when asked', async t => {
  const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/
  for (const args of [[store.dir], [store.dir, bug.id], [store.dir, rejected.id], [store.dir, bug.id, '--json'], [store.dir, '--json']]) t.notMatch(await show(...args), obeyed)
  const view = await viewBug(store, findBug(store, bug.id))
  view.diffs['bug_inject.diff'] += '+\u001b[2J\u009b31m\u202eevil\r\n'
  t.notMatch(renderBug(store, view, { all: false, colour: false }), obeyed)
  const coloured = renderBug(store, view, { all: false, colour: true })
  t.match(coloured, '\u001b[32m+[2J31mevil\u001b[0m')
  t.notMatch(coloured.replace(/\u001b\[(0|1|31|32|36)m/g, ''), obeyed)
})

t.test('long lists end with their count unless all of them are asked for', async t => {
  const view = await viewBug(store, findBug(store, bug.id))
  view.verdict!.f2p = Array.from({ length: 25 }, (_, index) => `test ${index + 1}.`)
  const few = renderBug(store, view, { all: false, colour: false })
  t.match(few, 'FAIL_TO_PASS (25)')
  t.match(few, '… and 5 more (--all)')
  t.notMatch(few, 'test 21.')
  t.match(renderBug(store, view, { all: true, colour: false }), 'test 25.')
})

t.test('what is not there has a clear error', async t => {
  await t.rejects(show(join(base, 'nowhere')), { code: 'RUN_NOT_FOUND' })
  await t.rejects(show(store.dir, 'bug-6'), { code: 'BUG_AMBIGUOUS', data: { matches: [bug.id, rejected.id] } })
  await t.rejects(show(store.dir, `${bug.id.slice(0, 12)}zzzz`), { code: 'BUG_NOT_FOUND', data: { nearest: { 0: bug.id } }, message: /The nearest are/ })
  await t.rejects(show(), { code: 'OPTION_MISSING' })
})

t.test('a reader that leaves ends the program without a word', async t => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../src/cli/main.js', import.meta.url)), 'show', store.dir, bug.id, '--all'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let said = ''
  child.stderr.on('data', (text: Buffer) => { said += text.toString() })
  const [code] = await once(child, 'close') as [number | null]
  t.equal(code, 141)
  t.equal(said, '')
})
