// Goal: tasks and predictions are read as SWE-bench writes them, and what cannot be read is refused with its line and field.

import t from 'tap'
import { lineId } from '../../src/export/grading.ts'
import { readInstances, readPredictions } from '../../src/eval/instances.ts'

const whole = {
  instance_id: 'owner__name-1', repo: 'owner/name', base_commit: 'c0ffee00'.repeat(5), problem_statement: 'It fails.', patch: 'diff', test_patch: 'diff',
  FAIL_TO_PASS: '["a::b"]', PASS_TO_PASS: []
}
const text = (...instances: object[]): string => instances.map(instance => JSON.stringify(instance) + '\n').join('\n')

t.test('lists come as JSON text or as lists, and ids as the export writes them', async t => {
  const ids = ['a::b', '"quoted" id', 'two\nlines', ' space ']
  const [first, second] = readInstances(text({ ...whole, FAIL_TO_PASS: JSON.stringify(ids.map(lineId)) }, { ...whole, instance_id: 'b', PASS_TO_PASS: ['p'], patch: undefined }), 'tasks')
  t.same(first!.f2p, ids)
  t.match(second, { p2p: ['p'], gold: null, own: null, image: null, evalScript: null, logParser: null, evalType: 'pass_and_fail' })
  t.match(readInstances(text({ ...whole, image: 'host:5000/a/b:latest', eval_script: '#!/bin/bash', log_parser: 'parse_log_pytest', eval_type: 'fail_only' }), 'tasks'), [{ image: 'host:5000/a/b:latest', evalScript: '#!/bin/bash', logParser: 'parse_log_pytest', evalType: 'fail_only' }])
})

t.test('what cannot be used is refused', async t => {
  const refused: [object, RegExp][] = [
    [{ ...whole, instance_id: '../../etc' }, /tasks, line 1: instance_id/],
    [{ ...whole, instance_id: '..' }, /instance_id/],
    [{ ...whole, base_commit: 'main' }, /base_commit/],
    [{ ...whole, FAIL_TO_PASS: '[]' }, /names no test/],
    [{ ...whole, FAIL_TO_PASS: 'a::b' }, /FAIL_TO_PASS is no list/],
    [{ ...whole, test_patch: undefined }, /test_patch is no text/],
    [{ ...whole, setup_patch: 'diff' }, /export the run again/],
    [{ ...whole, eval_type: 'maybe' }, /eval_type/],
    [{ ...whole, image: '--privileged' }, /no name of an image/],
    [{ ...whole, eval_script: 5 }, /eval_script is no text/],
    [{ ...whole, setup_patch: 'diff', test_script: '', test_parser: '', test_files: '', test_parser_name: '../x' }, /no name of a parser/]
  ]
  for (const [instance, message] of refused) t.throws(() => readInstances(text(instance), 'tasks'), { code: 'EVAL_TASKS_INVALID', message })
  t.throws(() => readInstances(text(whole, whole), 'tasks'), /is there twice/)
  t.throws(() => readInstances('\n', 'tasks'), /holds no instance/)
  t.throws(() => readInstances('[]\n', 'tasks'), /no JSON object/)
  t.throws(() => readInstances(text(whole, { ...whole, instance_id: 'b' }), 'tasks', { tasksBytesMax: 2 ** 20, instancesMax: 1 }), /instancesMax/)
  t.throws(() => readInstances(text(whole), 'tasks', { tasksBytesMax: 10, instancesMax: 1 }), /tasksBytesMax/)
})

t.test('a prediction of null is an empty patch', async t => {
  t.same(readPredictions('{"instance_id":"a","model_patch":null}\n', 'p'), [{ instanceId: 'a', patch: '' }])
  t.throws(() => readPredictions('{"instance_id":"a","model_patch":1}\n', 'p'), { code: 'EVAL_TASKS_INVALID' })
})
