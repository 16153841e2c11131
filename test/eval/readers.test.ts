// How the tests of an instance are found in what our readers say: by the ids that SWE-bench's parsers make of the same logs.

import t from 'tap'
import { lookUp, parserNamed } from '../../src/eval/readers.ts'
import { placeOf } from '../../src/eval/arenas.ts'
import { readInstances } from '../../src/eval/instances.ts'
import { readMarkers } from '../../src/eval/runs.ts'
import { readTestLog, type LogStatus } from '../../src/workers/testlog/index.ts'
import { testFolder } from '../helpers/test-folder.ts'

const find = (parser: string, tests: Record<string, LogStatus>): (id: string) => LogStatus | null => lookUp({ tests: new Map(Object.entries(tests)) }, parserNamed('i', parser))

t.test('pytest: whole ids, and those that instances hold cut within a parameter', async t => {
  const of = find('parse_log_pytest', { 'a.py::t[x y]': 'passed', 'a.py::u[1 a]': 'passed', 'a.py::u[1 b]': 'failed', 'a.py::s': 'skipped' })
  t.same(['a.py::t[x y]', 'a.py::t[x', 'a.py::u[1', 'a.py::s', 't[x y]', 'a.py::t'].map(of), ['passed', 'passed', 'failed', 'skipped', null, null])
  const options = find('parse_log_requests', { 'a.py::t[/usr/lib/x.pem]': 'passed', 'a.py::t[//host]': 'passed' })
  t.same(['a.py::t[/x.pem]', 'a.py::t[//host]', 'a.py::t[/usr/lib/x.pem]'].map(options), ['passed', 'passed', null])
})

t.test('the others leave out files, packages and suites; several that it may be have to agree', async t => {
  t.same(['TestA/sub', 'TestB', 'TestC'].map(find('parse_log_gotest', { 'example.org/m::TestA/sub': 'passed', 'm/a::TestB': 'passed', 'm/b::TestB': 'failed' })), ['passed', 'failed', null])
  t.same(['tests::adds', 'adds'].map(find('parse_log_cargo', { 'core/src/lib.rs::tests::adds': 'passed' })), ['passed', 'passed'])
  t.same(['adds', 'sum > adds'].map(find('parse_log_jest', { 'a.test.js::sum > adds': 'passed', 'b.test.js::adds': 'skipped' })), ['failed', 'passed'])
  t.same(['src/a.test.ts > sum > adds', 'b > adds'].map(find('parse_log_vitest', { 'src/a.test.ts::sum > adds': 'passed' })), ['passed', null])
})

t.test('what our export prints is read back: TAP with any id', async t => {
  const reading = readTestLog(Buffer.from('ok 1 test/a.js::one\nnot ok 2 test/a.js::two > three\nok 3 plain\n'), { runner: 'tap', form: 'own' })
  t.same(['test/a.js::one', 'test/a.js::two > three', 'plain', 'other'].map(lookUp(reading, parserNamed('i', 'parse_log_tap'))), ['passed', 'failed', 'passed', null])
})

t.test('the region between the markers, and the exit code that stands behind it', async t => {
  const read = (text: string): object => { const { region, exitCode } = readMarkers(Buffer.from(text)); return { region: region?.toString() ?? null, exitCode } }
  t.same(read('+ echo\n>>>>> Start Test Output\na\n>>>>> Test Exit Code: 9\n>>>>> End Test Output\n>>>>> Test Exit Code: 1\n'), { region: 'a\n>>>>> Test Exit Code: 9\n', exitCode: 1 })
  t.same(read(">>>>> Start Test Output'\na\n+ : '>>>>> End Test Output"), { region: "a\n+ : '", exitCode: undefined })
  for (const text of ['', '>>>>> Start Test Output\n', '>>>>> End Test Output >>>>> Start Test Output', '>>>>> Patch Apply Failed >>>>> Start Test Output >>>>> End Test Output']) t.same(read(text), { region: null, exitCode: undefined }, text)
})

t.test('where an instance is played: what the user names, the image, what repo says', async t => {
  const folder = testFolder(t, { 'a__b': {}, c: {} })
  const of = (fields: object): ReturnType<typeof readInstances>[number] => readInstances(JSON.stringify({ instance_id: 'i', repo: 'a/b', base_commit: '1'.repeat(40), problem_statement: 'x', test_patch: 'x', FAIL_TO_PASS: ['t'], PASS_TO_PASS: [], ...fields }), 'tasks')[0]!
  const none = { arena: null, repoDir: null, imagePath: '/testbed' }
  const image = { image: 'swebench/x:latest' }
  const opened = { target: 'docker:swebench/x:latest#/testbed', image: { name: 'swebench/x:latest', path: '/testbed' } }
  const at = `@${'1'.repeat(40)}`
  t.same(placeOf(of(image), none), opened)
  t.same(placeOf(of({ ...image, repo: 'https://host/a' }), none), opened)
  t.same(placeOf(of(image), { ...none, imagePath: '/app' }).target, 'docker:swebench/x:latest#/app')
  t.same(placeOf(of(image), { ...none, arena: './mine' }), { target: './mine', image: null })
  t.match(placeOf(of(image), { ...none, repoDir: folder }), { target: new RegExp(`^file://.*a__b${at}$`), image: null })
  t.same(placeOf(of({ ...image, repo: 'x/y' }), { ...none, repoDir: folder }), opened, 'no clone of it is there')
  t.match(placeOf(of({ ...image, repo: 'https://host/a' }), { ...none, imagePath: null }), { target: `https://host/a${at}`, image: null })
  t.match(placeOf(of({ repo: `${folder}/c` }), none), { target: new RegExp(`^file://.*/c${at}$`) })
  t.throws(() => placeOf(of({}), none), { code: 'EVAL_NO_REPOSITORY', message: /names no image/ })
  t.throws(() => placeOf(of({ repo: 'x/y' }), { ...none, repoDir: folder }), { code: 'EVAL_NO_REPOSITORY', message: /x__y/ })
})
