import t from 'tap'
import type { TestMap } from '../../src/domain.ts'
import { cleanSets, isBroken, namesTests, statusOf } from '../../src/verify/compare.ts'

const ids = ['a.js::one', 'a.js::two', 'b.js::three']
const original = { exitCode: 0, testFiles: ['a.js', 'b.js'] }
const status = (results: TestMap, exitCode: number | null, testFiles = original.testFiles): string => [...statusOf(ids, { results, exitCode }, { ...original, testFiles }).values()].join(' ')

const table: [string, TestMap, number | null, string][] = [
  ['all there', { 'a.js::one': 'passed', 'a.js::two': 'failed', 'b.js::three': 'passed' }, 1, 'passed failed passed'],
  ['one gone, runner content', { 'a.js::one': 'passed', 'b.js::three': 'passed' }, 0, 'passed gone passed'],
  ['a file gone, runner content', { 'a.js::one': 'passed', 'a.js::two': 'passed' }, 0, 'passed passed gone'],
  ['a file not collected', { 'a.js::one': 'passed', 'a.js::two': 'failed' }, 1, 'passed failed failed'],
  ['a test gone from a file that was collected', { 'a.js::one': 'failed', 'b.js::three': 'passed' }, 1, 'failed gone passed'],
  ['a file not collected and a test gone from another', { 'a.js::one': 'passed' }, 1, 'passed gone failed'],
  ['the runner stopped though nothing failed', { 'a.js::one': 'passed', 'b.js::three': 'passed' }, 1, 'passed failed passed'],
  ['the runner was killed by a signal', { 'a.js::one': 'failed' }, 139, 'failed failed failed'],
  ['the runner has no exit code', { 'a.js::one': 'failed' }, null, 'failed failed failed']
]

t.test('a test without a result is failed or gone', async t => {
  for (const [what, results, exitCode, expected] of table) t.equal(status(results, exitCode), expected, what)
  t.equal([...statusOf(ids, { results: { 'a.js::one': 'passed' }, exitCode: 3 }, { ...original, exitCode: 3 }).values()].join(' '), 'passed gone gone', 'an exit code as on the original says nothing')
})

t.test('ids that name no file are the only file’s, or nobody’s', async t => {
  const plain = ['one', 'two']
  const of = (testFiles: string[]): string[] => [...statusOf(plain, { results: { other: 'failed' }, exitCode: 1 }, { exitCode: 0, testFiles }).values()]
  t.strictSame(of(['a.js', 'b.js']), ['gone', 'gone'])
  t.strictSame(of(['a.js']), ['gone', 'gone'], 'the file was collected: it has another test')
})

t.test('clean runs that do not agree make flaky tests', async t => {
  t.strictSame(cleanSets([{ a: 'passed', b: 'passed', c: 'failed', d: 'passed' }, { a: 'passed', b: 'failed', c: 'failed' }]), { passing: ['a'], failing: ['c'], flaky: ['b', 'd'] })
  t.strictSame(cleanSets([JSON.parse('{ "__proto__": "passed", "constructor": "passed" }')]).passing, ['__proto__', 'constructor'].sort())
})

t.test('a log without results is a broken build or a parser that cannot read', async t => {
  t.ok(isBroken(ids, { results: { 'c.js::x': 'failed' } }))
  t.ok(namesTests(ids, 'one ok\ntwo not ok\n'))
  t.notOk(namesTests(ids, 'SyntaxError: Unexpected token in three'))
})
