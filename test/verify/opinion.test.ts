// A parser's map held against our reader's, over logs of node:test and pytest: what counts as a disagreement, and what is
// only another way to name tests.

import t from 'tap'
import type { TestMap } from '../../src/domain.ts'
import { unmet } from '../../src/verify/compare.ts'
import { certainResults, compareReading } from '../../src/verify/opinion.ts'
import { readTestLog, type LogRunner } from '../../src/workers/testlog/index.ts'

const pytest = `============================= test session starts ==============================
collected 4 items

tests/test_a.py ..F                                                      [ 75%]
tests/test_b.py s                                                        [100%]

=========================== short test summary info ============================
PASSED tests/test_a.py::test_one
PASSED tests/test_a.py::test_two[a-1]
SKIPPED [1] tests/test_b.py:3: not here
FAILED tests/test_a.py::test_three - assert 1 == 2
=================== 1 failed, 2 passed, 1 skipped in 0.02s ====================
`
const tap = 'TAP version 13\n# Subtest: adds\nok 1 - adds\n  ---\n  duration_ms: 1\n  ...\n# Subtest: subtracts\nnot ok 2 - subtracts\n  ---\n  duration_ms: 1\n  ...\n1..2\n# tests 2\n# suites 0\n# pass 1\n# fail 1\n# cancelled 0\n# skipped 0\n# todo 0\n# duration_ms 5\n'

const opinionOf = (runner: LogRunner, log: string, parsed: TestMap): ReturnType<typeof compareReading> =>
  compareReading(runner, readTestLog(Buffer.from(log), { runner, exitCode: 1 }), parsed)

const all: TestMap = { 'tests/test_a.py::test_one': 'passed', 'tests/test_a.py::test_two[a-1]': 'passed', 'tests/test_a.py::test_three': 'failed' }
const without = (map: TestMap, id: string): TestMap => Object.fromEntries(Object.entries(map).filter(([key]) => key !== id))

t.test('agreement and disagreement', async t => {
  const cases: [string, LogRunner, string, TestMap, boolean | null, RegExp][] = [
    ['the same', 'pytest', pytest, all, true, /^$/],
    ['a failure called passed', 'pytest', pytest, { ...all, 'tests/test_a.py::test_three': 'passed' }, false, /test_three.*opposite/],
    ['a pass called failed', 'pytest', pytest, { ...all, 'tests/test_a.py::test_one': 'failed' }, false, /opposite/],
    ['a test left out', 'pytest', pytest, without(all, 'tests/test_a.py::test_three'), false, /leaves out.*test_three/],
    ['a test that is not there', 'pytest', pytest, { ...all, 'tests/test_a.py::test_four': 'passed' }, false, /did not print.*test_four/],
    ['names without files', 'pytest', pytest, { test_one: 'passed', 'test_two[a-1]': 'passed', test_three: 'failed' }, true, /^$/],
    ['names without files, one of them a lie', 'pytest', pytest, { test_one: 'passed', 'test_two[a-1]': 'passed', test_three: 'passed' }, false, /opposite/],
    ['numbers for names', 'pytest', pytest, { 1: 'passed', 2: 'passed', 3: 'failed' }, null, /another way/],
    ['one name that is written in another way', 'pytest', pytest, { ...without(all, 'tests/test_a.py::test_two[a-1]'), 'tests/test_a.py::test_two a 1': 'passed' }, true, /^$/],
    ['TAP by its descriptions', 'node', tap, { 'test/a.test.js::adds': 'passed', 'test/a.test.js::subtracts': 'failed' }, true, /^$/],
    ['a log in nobody\'s words', 'pytest', 'all is well\n', { all: 'passed' }, null, /no result/],
    ['a log that contradicts itself', 'pytest', pytest.replace('1 failed, 2 passed', '3 passed'), all, null, /does not agree with itself/]
  ]
  for (const [name, runner, log, parsed, agrees, reason] of cases) t.match(opinionOf(runner, log, parsed), { agrees, reason }, name)
})

t.test('an expected test is met where both channels say that it passed', async t => {
  const results: TestMap = { a: 'passed', b: 'failed', c: 'passed' }
  t.same(unmet(['a', 'b', 'c', 'd'], { results, opinion: null }), { missing: ['d'], failing: ['b'] })
  const opinion = { ...opinionOf('pytest', pytest, all), contradicted: ['c'] }
  t.same(unmet(['a', 'c'], { results, opinion }), { missing: [], failing: ['c'] })
  t.same(unmet(['a'], { results: null, opinion: null }), { missing: ['a'], failing: [] })
})

t.test('the reader decides alone only where nothing speaks against its reading', async t => {
  const read = (log: string): TestMap | null => certainResults(readTestLog(Buffer.from(log), { runner: 'pytest', exitCode: 1 }))
  t.same(read(pytest), all)
  t.equal(read(pytest.slice(0, -90)), null, 'the end is missing')
  t.equal(read(''), null)
})
