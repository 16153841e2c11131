// Goal: what a test prints makes no result, or is noticed. Method: honest logs of each runner with lookalikes where a test
// can print them; the reading is that of the honest log, or says that it is in doubt.

import t from 'tap'
import { doubtful, toTestMap, type LogRunner } from '../../../src/workers/testlog/index.ts'
import { read } from './support.ts'

const map = (log: string, runner: LogRunner): object => toTestMap(read(log, { runner }))

const left: { name: string; runner: LogRunner; log: string; tests: Record<string, string> }[] = [
  {
    name: 'a summary in the output that pytest captured',
    runner: 'pytest',
    log: '==== PASSES ====\n____ test_x ____\n=== short test summary info ===\nPASSED a.py::forged\n=== 9 passed in 1.00s ===\n=== short test summary info ===\nPASSED a.py::test_x\n=== 1 passed in 0.01s ===\n',
    tests: { 'a.py::test_x': 'passed' }
  },
  {
    name: 'progress lines that pytest -s lets through, with a summary',
    runner: 'pytest',
    log: 'a.py::test_x PASSED [ 50%]\na.py::forged PASSED [100%]\n=== short test summary info ===\nPASSED a.py::test_x\n=== 1 passed in 0.01s ===\n',
    tests: { 'a.py::test_x': 'passed' }
  },
  { name: 'a TAP result out of turn', runner: 'tap', log: 'TAP version 14\nok 7 - forged\nok - forged\nok 1 - real\n1..1\nok 2 - forged\n', tests: { real: 'passed' } },
  { name: 'a TAP result that nobody announced', runner: 'tap', log: '    ok 1 - x\nok 1 - forged\n# Subtest: real\nnot ok 1 - real\n1..1\n', tests: { real: 'failed' } },
  { name: 'a TAP result inside of a block', runner: 'tap', log: 'not ok 1 - real\n  ---\n  text: |\nok 2 - forged\n  ...\n1..1\n', tests: { real: 'failed' } },
  { name: 'a result of go that no event is', runner: 'go', log: '{"Time":"t","Action":"output","Package":"p","Test":"T","Output":"{\\"Action\\":\\"pass\\",\\"Test\\":\\"Forged\\"}\\n"}\n{"Action":"pass","Package":"p","Test":"Forged"}\n{"Time":"t","Action":"fail","Package":"p","Test":"T"}\n{"Time":"t","Action":"fail","Package":"p"}\n', tests: { 'p::T': 'failed' } },
  { name: 'a result of go without its beginning', runner: 'go', log: '=== RUN   T\n--- PASS: Forged (0.00s)\n--- FAIL: T (0.00s)\nFAIL\nFAIL\tp\t0.1s\n', tests: { 'p::T': 'failed' } },
  { name: 'a mark of mocha on the wrong level', runner: 'mocha', log: '\n  suite\n  ✔ forged\n    ✔ real\n\n\n  1 passing (2ms)\n\n', tests: { 'suite > real': 'passed' } },
  { name: 'results in what a test of cargo printed', runner: 'cargo', log: 'running 1 test\ntest real ... FAILED\n\nfailures:\n\n---- real stdout ----\ntest forged ... ok\n\ntest result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\nrunning 1 test\ntest forged ... ok\n\nfailures:\n    real\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n', tests: { real: 'failed' } },
  { name: 'a result in the output of unittest', runner: 'unittest', log: 'test_x (m.A.test_x) ... test_f (m.A.test_f) ... ok\nFAIL\n\n======================================================================\nFAIL: test_x (m.A.test_x)\n----\n\n----\nRan 1 test in 0.001s\n\nFAILED (failures=1)\n', tests: { 'm.A.test_x': 'failed' } },
  { name: 'a file that nobody announced', runner: 'unittest', log: '# file: a.py\nPASSED b.py::forged\nPASSED a.py::A.test\n', tests: { 'a.py::A.test': 'passed' } },
  { name: 'a result below the output of vitest', runner: 'vitest', log: '\n RUN  v3.0.0 /x\n\nstdout | a.test.js > real\n ✓ a.test.js > forged 1ms\n\n ✓ a.test.js > forged again 1ms\n\n × a.test.js > real 1ms\n\n      Tests  1 failed (1)\n', tests: { 'a.test.js::real': 'failed' } }
]
for (const { name, runner, log, tests } of left) t.test(`leaves out ${name}`, async t => { t.same(map(log, runner), tests) })

const noticed: [string, LogRunner, string][] = [
  ['a whole block of jest', 'jest', 'PASS forged.test.js\n  ✓ forged (1 ms)\n\nPASS a.test.js\n  ✓ real (1 ms)\n\nTests:       1 passed, 1 total\n'],
  ['progress lines of pytest -s', 'pytest', 'a.py::test_x PASSED\na.py::forged PASSED\n=== 1 passed in 0.01s ===\n'],
  ['a summary behind the summary', 'pytest', '=== short test summary info ===\nFAILED a.py::x\n=== 1 failed in 0.01s ===\n=== short test summary info ===\nPASSED a.py::x\n=== 1 passed in 0.01s ===\n'],
  ['more results than the plan', 'tap', '1..3\nok 1 - a\nok 2 - b\n'],
  ['a mark of the spec reporter', 'node', '✔ forged (1.5ms)\n✔ real (1.5ms)\nℹ tests 1\nℹ suites 0\nℹ duration_ms 5.5\n']
]
for (const [name, runner, log] of noticed) t.test(`notices ${name}`, async t => { t.not(doubtful(read(log, { runner })).length, 0) })

t.test('the exit code has to be that of the results', async t => {
  const good = 'ok 1 - a\n1..1\n'
  t.same(doubtful(read(good, { runner: 'tap', exitCode: 0 })), [])
  t.match(doubtful(read(good, { runner: 'tap', exitCode: 1 })), [{ code: 'EXIT_CONTRADICTS' }])
  t.match(doubtful(read(good, { runner: 'tap', exitCode: null })), [{ code: 'EXIT_CONTRADICTS' }])
  t.match(doubtful(read(`not ${good}`, { runner: 'tap', exitCode: 0 })), [{ code: 'EXIT_CONTRADICTS' }])
  t.same(doubtful(read(`not ${good}`, { runner: 'tap', exitCode: 1 })), [])
})

t.test('with a nonce only what its markers enclose counts', async t => {
  const log = [
    'ok 1 - outside', '::spar other begin a.js', 'ok 1 - of another', '::spar other end', '::spar n-1 begin a.js', 'TAP version 14', 'ok 1 - inside', '1..1', '::spar n-1 end',
    'ok 2 - behind', '::spar n-1 FAILED b.js::line of its own', '::spar n-2 FAILED b.js::forged', ''
  ].join('\n')
  const { tests, problems } = read(log, { runner: 'tap', nonce: 'n-1' })
  t.same([...tests].sort(), [['a.js::inside', 'passed'], ['b.js::line of its own', 'failed']])
  t.same(problems, [])
  t.match(read(log.split('\n').slice(0, 8).join('\n') + '\n', { runner: 'tap', nonce: 'n-1' }).problems, [{ code: 'TRUNCATED' }])
  const xml = '<testsuite name="s">\n::spar k begin\n<testsuite name="s"><testcase name="a"/>\n</testsuite>\n::spar k end\n'
  t.same([...read(xml, { runner: 'junit', nonce: 'k' }).tests], [['a', 'passed']])
})

t.test('the form of the log is found, or told', async t => {
  const log = '# file: a.js\nPASSED a.js::x\nTAP version 13\n# Subtest: y\nok 1 - y\n  ---\n  ...\n1..1\n# tests 1\n'
  t.same(map(log, 'node'), { 'a.js::x': 'passed' })
  t.same([...read(log, { runner: 'node', form: 'own' }).tests.keys()], ['y'])
  t.same([...read(log, { runner: 'node', form: 'launcher' }).tests.keys()], ['a.js::x'])
})
