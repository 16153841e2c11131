// SWE-bench's truth table, a row each: first over results, then whose fault it is where a run cannot be believed. The second is
// decided by further runs of the same tests, which stand in the row.

import t from 'tap'
import { gradePatch } from '../../src/eval/grade.ts'
import { readInstances, type EvalInstance } from '../../src/eval/instances.ts'
import { judgeRun, type EvalType } from '../../src/eval/truth.ts'
import type { Arena } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { createLimiter } from '../../src/limiter.ts'
import type { ExecResult, Sandbox } from '../../src/ports.ts'
import { readLogHere } from '../../src/workers/logs.ts'
import type { LogStatus } from '../../src/workers/testlog/index.ts'

type Results = Record<string, LogStatus>
interface Row { name: string; results: Results; exitCode?: number | null; type?: EvalType; outcome: string; more?: object }

const fine: Results = { f: 'passed', p: 'passed' }
const table: Row[] = [
  { name: 'all pass', results: fine, exitCode: 0, outcome: 'resolved' },
  { name: 'F2P missing', results: { p: 'passed' }, exitCode: 0, outcome: 'unresolved', more: { unmet: { missing: ['f'], failing: [], skipped: [] } } },
  { name: 'F2P skipped', results: { ...fine, f: 'skipped' }, exitCode: 0, outcome: 'unresolved', more: { unmet: { skipped: ['f'] }, reason: 'of 2 tests 0 fail, 1 are skipped and 0 have no result' } },
  { name: 'F2P failed', results: { ...fine, f: 'failed' }, exitCode: 1, outcome: 'unresolved', more: { unmet: { failing: ['f'] } } },
  { name: 'F2P ended in an error', results: { ...fine, f: 'error' }, exitCode: 1, outcome: 'unresolved', more: { unmet: { failing: ['f'] } } },
  { name: 'P2P missing', results: { f: 'passed' }, exitCode: 0, outcome: 'unresolved', more: { unmet: { missing: ['p'] } } },
  { name: 'P2P failed', results: { ...fine, p: 'failed' }, exitCode: 1, outcome: 'unresolved', more: { unmet: { failing: ['p'] } } },
  { name: 'P2P skipped', results: { ...fine, p: 'skipped' }, exitCode: 0, outcome: 'resolved' },
  { name: 'another test fails', results: { ...fine, x: 'failed' }, exitCode: 1, outcome: 'resolved' },
  { name: 'no result at all', results: {}, exitCode: 0, outcome: 'invalid', more: { why: 'no results' } },
  { name: 'no result at all, and the runner fails', results: {}, exitCode: 2, outcome: 'invalid', more: { why: 'no results' } },
  { name: 'the runner fails and no test does', results: fine, exitCode: 2, outcome: 'invalid', more: { why: 'exit code', reason: 'the runner exits with 2 though no test failed' } },
  { name: 'a signal ended the runner and no test failed', results: fine, exitCode: null, outcome: 'invalid', more: { why: 'exit code' } },
  { name: 'nobody says how the runner ended', results: fine, outcome: 'resolved' },
  { name: 'fail_only: F2P missing', results: { p: 'passed' }, exitCode: 0, type: 'fail_only', outcome: 'resolved' },
  { name: 'fail_only: F2P skipped', results: { ...fine, f: 'skipped' }, exitCode: 0, type: 'fail_only', outcome: 'resolved' },
  { name: 'fail_only: P2P missing', results: { x: 'passed' }, exitCode: 0, type: 'fail_only', outcome: 'resolved' },
  { name: 'fail_only: F2P failed', results: { f: 'failed' }, exitCode: 1, type: 'fail_only', outcome: 'unresolved', more: { unmet: { failing: ['f'] } } },
  { name: 'fail_only: P2P failed', results: { p: 'failed' }, exitCode: 1, type: 'fail_only', outcome: 'unresolved' },
  { name: 'fail_only: no result at all', results: {}, exitCode: 0, type: 'fail_only', outcome: 'invalid' }
]

for (const { name, results, exitCode, type = 'pass_and_fail', outcome, more = {} } of table) {
  t.test(name, async t => {
    t.match(judgeRun({ f2p: ['f'], p2p: ['p'], evalType: type }, { statusOf: id => results[id] ?? null, statuses: Object.values(results), exitCode }), { outcome, ...more })
  })
}

// ---- whose fault ----------------------------------------------------------------------------------------------------

const diff = (path: string): string => `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+x\n`
const instance = (more: object = {}): EvalInstance => readInstances(JSON.stringify({
  instance_id: 'a', repo: 'a/b', base_commit: '1'.repeat(40), problem_statement: 'x', patch: diff('gold.py'), test_patch: diff('tests/test_a.py'), FAIL_TO_PASS: ['tests/test_a.py::f'], PASS_TO_PASS: ['tests/test_a.py::p'],
  image: 'some/image', eval_script: 'run the tests', log_parser: 'parse_log_pytest', ...more
}), 'tasks')[0]!
const arena = { runner: 'custom', testFiles: [] as Arena['testFiles'] } as unknown as Arena

const log = (lines: string[], exitCode: number | null = 0): string =>
  ['> git checkout', '>>>>> Start Test Output', '= test session starts =', `collected ${lines.length} items`, '= short test summary info =', ...lines, `= ${lines.length} passed in 0.1s =`, '>>>>> End Test Output', ...exitCode === null ? [] : [`>>>>> Test Exit Code: ${exitCode}`], ''].join('\n')
const passes = log(['PASSED tests/test_a.py::f', 'PASSED tests/test_a.py::p'])
const ended = (output: string, more: Partial<ExecResult> = {}): ExecResult => ({ exitCode: 0, output: Buffer.from(output), truncatedBytes: 0, killed: null, durationMs: 1, ...more })

/** What a run comes to, by what was applied: the attempt, the reference or nothing. */
type Runs = Partial<Record<'attempt' | 'reference' | 'nothing', ExecResult | SparError>> & { refuses?: string }

/** A sandbox that takes patches and answers for the script. */
function gradeWith (runs: Runs, change: object = {}): ReturnType<typeof gradePatch> {
  const open = async (): Promise<Sandbox> => {
    let applied: 'attempt' | 'reference' | 'nothing' = 'nothing'
    return {
      id: 's', kind: 'docker', isolation: 'docker', tree: '/testbed', scratch: '/tmp/s',
      async exec (command, { stdin }) {
        if (stdin !== undefined) {
          const patch = Buffer.from(stdin).toString()
          if (runs.refuses !== undefined && patch.includes(runs.refuses)) return ended('error: patch does not apply', { exitCode: 1 })
          applied = patch.includes('gold.py') ? 'reference' : 'attempt'
          return ended('')
        }
        t.match(command, /bash .*eval\.sh/)
        const run = runs[applied]
        if (run === undefined) throw new Error(`nothing was to be run with ${applied}`)
        if (run instanceof SparError) throw run
        return run
      },
      readFile: async () => new Uint8Array(0), writeFile: async () => {}, destroy: async () => {}
    }
  }
  return gradePatch(instance(change), { arena, ofImage: true }, diff('code.py'), { sandboxes: { open }, cores: createLimiter(1), readLog: readLogHere })
}

const faults: [string, Runs, object, object?][] = [
  ['the tests pass', { attempt: ended(passes) }, { outcome: 'resolved' }],
  ['a deadline', { attempt: ended('', { killed: 'timeout', exitCode: null }) }, { outcome: 'error', retryable: true, reason: /do not end within 1800000 ms/ }],
  ['the memory', { attempt: ended(passes, { killed: 'memory', exitCode: 137 }) }, { outcome: 'error', retryable: true, reason: /memory/ }],
  ['a lost container', { attempt: new SparError('SANDBOX_LOST', 'it is gone', { retryable: true }) }, { outcome: 'error', retryable: true, reason: /SANDBOX_LOST/ }],
  ['no result, though there are some without the patch', { attempt: ended(log([])), nothing: ended(passes) }, { outcome: 'invalid', reason: 'no test has a result' }],
  ['no result, with the patch and without', { attempt: ended(log([])), nothing: ended(log([])) }, { outcome: 'error', retryable: false, reason: /so it is without the patch/ }],
  ['no result, and without the patch a deadline', { attempt: ended(log([])), nothing: ended('', { killed: 'timeout' }) }, { outcome: 'error', retryable: true }],
  ['the script breaks off before the tests end', { attempt: ended('>>>>> Start Test Output\nPASSED tests/test_a.py::f\n'), nothing: ended(passes) }, { outcome: 'invalid', reason: /eval_script ended before/ }],
  ['the script could not put the tests back', { attempt: ended(`>>>>> Reset Failed\n${passes}`), nothing: ended(passes) }, { outcome: 'invalid' }],
  ['a flood', { attempt: ended(passes, { killed: 'output', truncatedBytes: 1 }), nothing: ended(passes) }, { outcome: 'invalid', reason: /scriptOutputBytesMax/ }],
  ['the runner fails and no test does, but not with the reference', { attempt: ended(log(['PASSED tests/test_a.py::f', 'PASSED tests/test_a.py::p'], 3)), reference: ended(passes) }, { outcome: 'invalid', reason: /exits with 3/ }],
  ['the runner fails and no test does, with the reference too', { attempt: ended(log(['PASSED tests/test_a.py::f', 'PASSED tests/test_a.py::p'], 3)), reference: ended(log(['PASSED tests/test_a.py::f', 'PASSED tests/test_a.py::p'], 3)) }, { outcome: 'error', reason: /so it is with the reference patch/ }],
  ['the runner fails and no test does, and there is no reference', { attempt: ended(log(['PASSED tests/test_a.py::f', 'PASSED tests/test_a.py::p'], 3)) }, { outcome: 'invalid' }, { patch: '' }],
  ['a script that does not say how the runner ended', { attempt: ended(log(['PASSED tests/test_a.py::f', 'PASSED tests/test_a.py::p'], null)) }, { outcome: 'resolved' }],
  ['the patch does not apply', { refuses: 'code.py' }, { outcome: 'unresolved', reason: /the attempt does not apply/ }],
  ['results outside of the markers', { attempt: ended(`= test session starts =\ncollected 2 items\n= short test summary info =\nPASSED tests/test_a.py::f\nPASSED tests/test_a.py::p\n= 2 passed in 0.1s =\n>>>>> Start Test Output\n>>>>> End Test Output\n`) }, { outcome: 'resolved' }],
  ['a parser that we do not read', {}, { outcome: 'error', retryable: false, reason: /EVAL_UNKNOWN_PARSER.*parse_log_maven.*parse_log_pytest/ }, { log_parser: 'parse_log_maven' }]
]

for (const [name, runs, wanted, change] of faults) t.test(`by the script of the instance: ${name}`, async t => { t.match(await gradeWith(runs, change), wanted) })
