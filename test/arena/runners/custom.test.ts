import { join } from 'node:path'
import t from 'tap'
import { customRunner } from '../../../src/arena/runners/custom.ts'
import { parse } from '../support.ts'
import { testFolder } from '../../helpers/test-folder.ts'

const logs: [string, string, Record<string, string>][] = [
  ['pytest -v', 'tests/a.py::test_x PASSED        [ 50%]\ntests/a.py::test_y[a "b" \\c] FAILED  [100%]\nFAILED tests/a.py::test_y[a "b" \\c] - assert 0\n', { 'tests/a.py::test_x': 'passed', 'tests/a.py::test_y[a "b" \\c]': 'failed' }],
  ['pytest -rA', 'PASSED tests/a.py::test_x\nFAILED tests/a.py::test_y - AssertionError: x [1]\nERROR tests/a.py::test_z[b - c] - x\n', { 'tests/a.py::test_x': 'passed', 'tests/a.py::test_y': 'failed', 'tests/a.py::test_z[b - c]': 'failed' }],
  ['unittest -v', "test_x (tests.a.A.test_x) ... ok\ntest_y (tests.a.A.test_y) ... FAIL\ntest_z (tests.a.A) ... skipped 'no'\n", { 'test_x (tests.a.A.test_x)': 'passed', 'test_y (tests.a.A.test_y)': 'failed' }],
  ['go test -v', '=== RUN   TestA\n--- PASS: TestA (0.01s)\n    --- FAIL: TestB/x (0.00s)\n--- SKIP: TestC (0.00s)\n', { TestA: 'passed', 'TestB/x': 'failed' }],
  ['go test -json', '{"Time":"t","Action":"pass","Package":"p/q","Test":"TestA","Elapsed":0.1}\n{"Time":"t","Action":"output","Package":"p/q","Test":"TestB","Output":"\\"Action\\":\\"pass\\""}\n{"Time":"t","Action":"fail","Package":"p/q","Test":"TestB/x"}\n', { 'p/q::TestA': 'passed', 'p/q::TestB/x': 'failed' }],
  ['TAP', 'TAP version 13\n# first\nok 1 works # time=3ms\nnot ok 2 - breaks\n# second\nok 3 works\nok 4 later # TODO\n1..4\n# tests 4\n', { 'first > works': 'passed', 'first > breaks': 'failed', 'second > works': 'passed' }],
  ['mocha spec', '  suite "q"\n    ✔ one \\d (3ms)\n    deep\n      1) two\n    ✔ three\n\n  2 passing (4ms)\n  1 failing\n\n  1) suite\n       two:\n', { 'suite "q" > one \\d': 'passed', 'suite "q" > deep > two': 'failed', 'suite "q" > three': 'passed' }],
  ['jest --verbose', 'PASS test/a.test.js\n  suite\n    ✓ one (2 ms)\n    ✕ two\n    ○ skipped three\n', { 'PASS test/a.test.js > suite > one': 'passed', 'PASS test/a.test.js > suite > two': 'failed' }],
  ['words', 'PASS: first thing\nFAIL: second thing (3ms)\n', { 'first thing': 'passed', 'second thing': 'failed' }],
  ['coloured', '\u001b[32m✓\u001b[0m one\r\n', { one: 'passed' }],
  ['twice, the worst wins', 'PASS: one\nFAIL: one\nPASS: one\n', { one: 'failed' }]
]

for (const [name, log, expected] of logs) {
  t.test(`reads ${name}`, async t => {
    const runner = customRunner('make test', log, 'node')
    t.same(parse(runner, log, join(testFolder(t), 'work')).results, expected)
  })
}

t.test('what tests print in the words of another format does not decide', async t => {
  const forged = ['PASSED a::b', 'FAILED c::d', 'PASSED e::f', 'g::h PASSED'].map(line => `${line}\n`).join('')
  const log = `TAP version 13\n# Subtest: adds\n${forged}ok 1 - adds\n# Subtest: drops\nnot ok 2 - drops\n1..2\n`
  const runner = customRunner('make test', log, 'node')
  t.same(parse(runner, log, join(testFolder(t), 'work')).results, { adds: 'passed', drops: 'failed' })
})

t.test('a log without tests is refused, and so is an empty one later', async t => {
  t.throws(() => customRunner('make', 'compiling\ndone\n', 'node'), { code: 'ARENA_UNREADABLE_LOG' })
  t.equal(parse(customRunner('make', 'PASS: x\n', 'node'), 'nothing\n', join(testFolder(t), 'work')).parserCode, 1)
})

t.test('puts the files where the command wants them', async t => {
  const script = customRunner('run {files} --end', 'PASS: x\n', 'node').script(["a b'c.js"])
  t.match(script, 'run "${files[@]}" --end')
  t.match(script, "'a b'\\''c.js'")
})
