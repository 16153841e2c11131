// Goal: our truth table is SWE-bench's. Method: random results of random instances, judged by both; its own report decides.

import fc from 'fast-check'
import t from 'tap'
import { judgeRun, type EvalType } from '../../src/eval/truth.ts'
import type { LogStatus } from '../../src/workers/testlog/index.ts'
import { pythonTool } from '../helpers/python-tools.ts'

const run = pythonTool('swebench')
const reason = run === null ? 'SPAR_TEST_PYTHON_TOOLS names no folder with swebench' : null

const ids = ['a', 'b', 'c', 'd', 'e']
interface Case { f2p: string[]; p2p: string[]; type: EvalType; statuses: Record<string, LogStatus> }

const cases: Case[] = fc.sample(fc.record({
  type: fc.constantFrom<EvalType>('pass_and_fail', 'fail_only'),
  f2p: fc.subarray(ids.slice(0, 2), { minLength: 1 }),
  p2p: fc.subarray(ids.slice(2)),
  // Where only failures are named, an error of one test is a failure to us and nothing to SWE-bench: left out.
  statuses: fc.dictionary(fc.constantFrom(...ids, 'other'), fc.constantFrom<LogStatus>('passed', 'passed', 'passed', 'skipped', 'failed'), { minKeys: 1 })
}), { numRuns: 500, seed: 7 })

t.test('the same instances are resolved', { skip: reason !== null && !process.env['CI'] ? reason : false }, async t => {
  if (run === null) return void t.fail(reason!)
  const program = `
import json
from swebench.harness.constants import EvalType
from swebench.harness.grading import get_eval_tests_report, get_resolution_status
cases = json.loads(${JSON.stringify(JSON.stringify(cases))})
def resolved(case):
    statuses = {id: status.upper() for id, status in case['statuses'].items()}
    report = get_eval_tests_report(statuses, {'FAIL_TO_PASS': case['f2p'], 'PASS_TO_PASS': case['p2p']}, eval_type=EvalType(case['type']))
    return get_resolution_status(report) == 'RESOLVED_FULL'
print(json.dumps([resolved(case) for case in cases]))`
  const theirs = JSON.parse(run(program)) as boolean[]
  const ours = cases.map(({ f2p, p2p, type, statuses }) => judgeRun({ f2p, p2p, evalType: type }, { statusOf: id => statuses[id] ?? null, statuses: Object.values(statuses), exitCode: undefined }).outcome === 'resolved')
  t.strictSame(ours, theirs)
  t.ok(theirs.includes(true) && theirs.includes(false), 'there are both')
})
