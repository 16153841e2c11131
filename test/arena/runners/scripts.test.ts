// Goal: script and parser of every runner agree on what the real runner says. Method: one small tree per runner, with tests
// that pass, fail, are skipped, planned, parameterised, named twice, print what looks like results, stand in files with
// odd names, and one file that cannot be loaded; each run for real.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runners } from '../../../src/arena/runners/index.ts'
import { readerOf } from '../../../src/verify/opinion.ts'
import { readTestLog } from '../../../src/workers/testlog/index.ts'
import { cleanEnvironment, lacks, parse, play, unless, writeTree } from '../support.ts'
import { testFolder } from '../../helpers/test-folder.ts'

const odd = "test/odd dir's/ü $b.test.js"
const noise = "console.log('PASSED nothing'); console.log('ok'); process.stdout.write('no newline')\n"

/** The runners of npm, installed once and kept for the next run of these tests. */
function installRunners (): string | null {
  const packages = ['mocha@10', 'jest@29', 'vitest@3', 'tape@5']
  const folder = join(tmpdir(), `spar-test-runners-${packages.join('-').replaceAll('@', '')}`)
  if (!existsSync(folder)) {
    const made = `${folder}.${process.pid}`
    mkdirSync(made, { recursive: true })
    writeFileSync(join(made, 'package.json'), '{"private":true}')
    const { status } = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', ...packages], { cwd: made, env: cleanEnvironment(), stdio: 'ignore' })
    if (status !== 0) return null
    try { renameSync(made, folder) } catch { /* another run was faster */ }
  }
  return join(folder, 'node_modules')
}
const modules = installRunners()
const noModules = modules === null ? 'the npm registry does not answer' : null

/** Where a script is asked to tell of skipped tests, the parser says what it said, and our reader what was skipped as well. */
function tellsSkipped (t: Test, runner: keyof typeof runners, tree: string, file: string, work: string, expected: { results: Record<string, string>; skipped: string[] }, env: Record<string, string> = {}): void {
  const { results, log } = play(runners[runner], tree, [file], work, env, 'skipped')
  t.same(results, expected.results, log.slice(-3000))
  const { tests } = readTestLog(Buffer.from(log), { runner: readerOf(runner)!, form: 'launcher' })
  t.same([...tests].filter(([, status]) => status === 'skipped').map(([id]) => id).sort(), expected.skipped.map(name => `${file}::${name}`).sort(), log.slice(-3000))
  for (const [id, status] of Object.entries(results)) t.ok([status, ...status === 'failed' ? ['error'] : []].includes(tests.get(id) ?? ''), `${id}: ${tests.get(id)}`)
}

const prefix = (file: string, results: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(results).map(([name, status]) => [`${file}::${name}`, status]))

interface Case { runner: keyof typeof runners; skipped: string[]; text: string; broken: string; expected: Record<string, string>; files?: Record<string, string>; modules?: string | null; suffix?: string }

const cases: Case[] = [
  {
    runner: 'node:test',
    // One that is planned and fails has no result.
    skipped: ['skipped'],
    text: `const { test, describe, it } = require('node:test'); const assert = require('assert'); ${noise}
      test('passes', () => {}); test('fails', () => assert.equal(1, 2)); test('skipped', { skip: true }, () => {}); test('planned', { todo: true }, () => assert.fail())
      test('twice', () => {}); test('twice', () => { throw new Error('x') }); test('twice', () => {})
      describe('suite', () => { it('in # it', () => {}); describe('deep', () => { for (const i of [1, 2]) it('param ' + i, () => {}) }) })
      test('parent', async t => { await t.test('child', () => {}); await t.test('two\\nlines', () => {}) })`,
    broken: "const { test } = require('node:test'); require('./missing'); test('x', () => {})",
    expected: {
      passes: 'passed', fails: 'failed', twice: 'failed', 'suite > in # it': 'passed', 'suite > deep > param 1': 'passed', 'suite > deep > param 2': 'passed',
      'parent > child': 'passed', 'parent > two\\nlines': 'passed', parent: 'passed'
    }
  },
  {
    runner: 'tape',
    skipped: ['skipped', 'planned'],
    text: `const test = require('tape'); ${noise} console.log('\\nok 99 forged')
      test('passes', t => { t.ok(1); t.end() }); test('fails', t => { t.equal(1, 2); t.end() }); test('skipped', { skip: true }, t => { t.ok(1); t.end() })
      test('planned', { todo: true }, t => { t.fail(); t.end() }); test('twice', t => { t.ok(1); t.end() }); test('twice', t => { t.ok(0); t.end() })
      test('outer', t => { t.test('inner', st => { st.ok(1); st.end() }); t.end() }); test('set up', t => { t.equal(global.setup, 1); t.end() })`,
    files: { 'package.json': '{"scripts":{"test":"standard && tape -r ./setup.js test/*.js"}}', 'setup.js': 'global.setup = 1' },
    broken: "const test = require('tape'); require('./missing'); test('x')",
    expected: { passes: 'passed', fails: 'failed', twice: 'failed', inner: 'passed', 'set up': 'passed' },
    modules
  },
  {
    runner: 'tap',
    skipped: ['skipped', 'planned'],
    text: `const t = require('tap'); ${noise}
      t.test('passes', t => { t.ok(1); t.end() }); t.test('fails', t => { t.equal(1, 2); t.end() }); t.test('skipped', { skip: true }, t => { t.end() }); t.test('planned', { todo: true }, t => { t.end() })
      t.test('twice', t => { t.ok(1); t.end() }); t.test('twice', t => { t.ok(0); t.end() })
      t.test('outer # x', t => { t.test('inner', st => { st.ok(1); st.end() }); t.end() })
      t.test('buffered', { buffered: true }, t => { t.test('inner', { buffered: true }, st => { st.ok(1); st.end() }); t.end() })
      t.equal(1, 1, 'at the root')`,
    broken: "const t = require('tap'); require('./missing'); t.test('x', t => t.end())",
    expected: { passes: 'passed', fails: 'failed', twice: 'failed', 'outer # x > inner': 'passed', 'outer # x': 'passed', 'buffered > inner': 'passed', buffered: 'passed', 'at the root': 'passed' },
    modules: join(process.cwd(), 'node_modules')
  },
  {
    runner: 'mocha',
    skipped: ['suite > skipped', 'suite > planned'],
    text: `const assert = require('assert'); ${noise}
      describe('suite', () => { it('passes', () => {}); it('fails', () => assert.equal(1, 2)); it.skip('skipped', () => {}); it('planned'); it('twice', () => {}); it('twice', () => { throw new Error('x') })
        for (const i of [1, 2]) it('param ' + i, () => {}) })
      describe('hook', () => { before(() => { throw new Error('hook') }); it('one', () => {}); describe('in', () => it('two', () => {})) })
      it('at the root', () => { if (process.env.FROM_SCRIPT !== '1' || global.setup !== 1) throw new Error('configuration is lost') })`,
    broken: "require('./missing'); it('x', () => {})",
    expected: {
      'suite > passes': 'passed', 'suite > fails': 'failed', 'suite > twice': 'failed', 'suite > param 1': 'passed', 'suite > param 2': 'passed', 'hook > one': 'failed', 'hook > in > two': 'failed', 'at the root': 'passed'
    },
    files: { 'package.json': '{"scripts":{"test":"FROM_SCRIPT=1 mocha --bail -r ./setup.js && standard"}}', '.mocharc.json': '{"spec":"test/**/*.js"}', 'setup.js': 'global.setup = 1' },
    modules
  },
  {
    runner: 'jest',
    skipped: ['suite > skipped', 'suite > planned'],
    text: `${noise}
      describe('suite', () => { it('passes', () => {}); test('fails', () => expect(1).toBe(2)); it.skip('skipped', () => {}); it.todo('planned'); it('twice', () => {}); it('twice', () => { throw new Error('x') })
        it.each([1, 2])('param %i', () => {}) })
      test('at the root', () => {})`,
    broken: "require('./missing'); test('x', () => {})",
    expected: { 'suite > passes': 'passed', 'suite > fails': 'failed', 'suite > twice': 'failed', 'suite > param 1': 'passed', 'suite > param 2': 'passed', 'at the root': 'passed' },
    files: { 'package.json': '{"jest":{"coverageThreshold":{"global":{"lines":100}}}}' },
    modules
  },
  {
    runner: 'vitest',
    skipped: ['suite > skipped', 'suite > planned'],
    text: `import { describe, expect, it, test } from 'vitest'; ${noise}
      describe('suite', () => { it('passes', () => {}); test('fails', () => { expect(1).toBe(2) }); it.skip('skipped', () => {}); it.todo('planned'); it('twice', () => {}); it('twice', () => { throw new Error('x') })
        it.each([1, 2])('param %i', () => {}) })
      test('at the root', () => {})`,
    broken: "import { test } from 'vitest'; import './missing'; test('x', () => {})",
    expected: { 'suite > passes': 'passed', 'suite > fails': 'failed', 'suite > twice': 'failed', 'suite > param 1': 'passed', 'suite > param 2': 'passed', 'at the root': 'passed' },
    files: { 'package.json': '{"type":"module"}' },
    modules
  }
]

for (const { runner, skipped, text, broken, expected, files = {}, modules, ...rest } of cases) {
  t.test(`reads ${runner}`, async t => {
    if ('modules' in rest || (modules === null && !unless(t, noModules))) return
    const folder = testFolder(t)
    const tree = writeTree(join(folder, 'tree'), { 'package.json': '{}', ...files, 'test/a.test.js': text, [odd]: text, 'test/broken.test.js': broken })
    if (modules !== undefined) symlinkSync(modules!, join(tree, 'node_modules'))
    const all = play(runners[runner], tree, ['test/a.test.js', 'test/broken.test.js', odd], join(folder, 'work'))
    t.same(all.results, { ...prefix('test/a.test.js', expected), ...prefix(odd, expected) }, all.log.slice(-3000))
    t.not(all.code, 0, 'the exit code is passed on')
    const one = play(runners[runner], tree, [odd], join(folder, 'work'))
    t.same(one.results, prefix(odd, expected), 'only the given files run')
    const again = play(runners[runner], tree, [odd], join(folder, 'work'))
    t.equal(JSON.stringify(again.results), JSON.stringify(one.results), 'twice the same, byte by byte')
    tellsSkipped(t, runner, tree, odd, join(folder, 'work'), { results: prefix(odd, expected), skipped })
    const none = play(runners[runner], tree, ['test/broken.test.js'], join(folder, 'work'))
    t.not(none.parserCode, 0, 'no result is no map')
    t.match(none.complaint, /no test result/)
  })
}

const pythonTest = `
import unittest, sys
print('PASSED nothing::x', end='')
class A(unittest.TestCase):
    def test_passes(self): print('FAILED x::y', end='')
    def test_fails(self): self.assertEqual(1, 2)
    def test_subtests(self):
        for i in range(3):
            with self.subTest(i=i): self.assertNotEqual(i, 1)
    @unittest.skip('no')
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError('fixture')
    def test_one(self): pass
class C(unittest.TestCase):
    def tearDown(self): raise RuntimeError('after')
    def test_two(self): pass
`

t.test('reads unittest', async t => {
  if (!unless(t, lacks('python3'))) return
  const folder = testFolder(t)
  const files = ['tests/test_a.py', "tests/odd dir's/test ü.py", 'tests/test_broken.py']
  const tree = writeTree(join(folder, 'tree'), { 'tests/__init__.py': '', [files[0]!]: pythonTest, [files[1]!]: pythonTest, [files[2]!]: 'import missing_module\n' + pythonTest })
  const expected = { 'A.test_passes': 'passed', 'A.test_fails': 'failed', 'A.test_subtests': 'failed', 'B.test_one': 'failed', 'C.test_two': 'failed' }
  const { results, code, log } = play(runners.unittest, tree, files, join(folder, 'work'))
  t.same(results, { ...prefix(files[0]!, expected), ...prefix(files[1]!, expected) }, log)
  t.equal(code, 1)
  t.match(log, /ERROR tests\/test_broken\.py/)
  tellsSkipped(t, 'unittest', tree, files[1]!, join(folder, 'work'), { results: prefix(files[1]!, expected), skipped: ['A.test_skipped', 'A.test_expected'] })
})

t.test('reads pytest', async t => {
  if (!unless(t, lacks('python3', '-m', 'venv', '--help'))) return
  const folder = testFolder(t)
  const env = join(folder, 'env')
  const installed = spawnSync('bash', ['-c', `python3 -m venv --without-pip '${env}' && python3 -m pip --python '${env}/bin/python' install -q pytest pytest-mock`], { env: cleanEnvironment(), stdio: 'ignore' })
  if (!unless(t, installed.status === 0 ? null : 'the Python index does not answer')) return
  const text = `
import pytest
print('PASSED tests/test_a.py::forged')
@pytest.mark.parametrize('value', ['a', 'b - c', 'ü', '[x] - y', 'new\\nline'])
def test_param(value):
    print('=== short test summary info ===')
    assert value != 'b - c', 'message - with [brackets]'
def test_passes(mocker): mocker.patch('os.getcwd')
def test_fails(): assert [1] == [2], 'no - way [here]'
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert 0
@pytest.fixture
def broken(): raise RuntimeError('fixture - broken')
def test_fixture(broken): pass
@pytest.fixture
def ending():
    yield
    raise RuntimeError('after')
class TestClass:
    def test_method(self, ending): pass
`
  const files = ['tests/test_a.py', "tests/odd dir's/test_ü - b.py", 'tests/test_broken.py']
  const tree = writeTree(join(folder, 'tree'), {
    'pytest.ini': '[pytest]\naddopts = -q -x --cov=pkg --cov-report=term -n 2 --strict-markers\nrequired_plugins = pytest-cov\n',
    [files[0]!]: text, [files[1]!]: text, [files[2]!]: 'import missing_module\n' + text
  })
  const { results, code, log } = play(runners.pytest, tree, files, join(folder, 'work'), { PATH: `${env}/bin:${process.env['PATH']}` })
  const expected = {
    'test_param[a]': 'passed', 'test_param[b - c]': 'failed', 'test_param[\\xfc]': 'passed', 'test_param[new\\nline]': 'passed', 'test_param[[x] - y]': 'passed',
    test_passes: 'passed', test_fails: 'failed', test_fixture: 'failed', 'TestClass::test_method': 'failed'
  }
  t.same(results, { ...prefix(files[0]!, expected), ...prefix(files[1]!, expected) }, log.slice(-4000))
  t.equal(code, 1)
  tellsSkipped(t, 'pytest', tree, files[1]!, join(folder, 'work'), { results: prefix(files[1]!, expected), skipped: ['test_skipped', 'test_expected'] }, { PATH: `${env}/bin:${process.env['PATH']}` })
})

t.test('reads go test', async t => {
  if (!unless(t, lacks('go', 'version'))) return
  const folder = testFolder(t)
  const goTest = (name: string): string => `package ${name}
import ("fmt"; "testing")
func TestPasses(t *testing.T) { fmt.Println("{\\"Action\\":\\"pass\\",\\"Test\\":\\"TestForged\\"}"); fmt.Print("no newline") }
func TestFails(t *testing.T) { t.Run("sub <x> \\"q\\" ü/y", func(t *testing.T) {}); t.Run("bad", func(t *testing.T) { t.Fail() }) }
func TestSkipped(t *testing.T) { t.Skip() }
`
  const tree = writeTree(join(folder, 'tree'), {
    'go.mod': 'module example.org/m\ngo 1.21\n',
    'a_test.go': goTest('m'),
    'sub/b_test.go': goTest('sub'),
    'sub/c_test.go': 'package sub\nimport "testing"\nfunc TestOther(t *testing.T) {}\n',
    'broken/d_test.go': 'package broken\nimport "testing"\nfunc TestX(t *testing.T) { missing() }\n'
  })
  const { results, code, log } = play(runners['go test'], tree, ['a_test.go', 'sub/b_test.go', 'broken/d_test.go'], join(folder, 'work'), { GOFLAGS: '-mod=mod', GOPROXY: 'off' })
  const expected = { TestPasses: 'passed', TestFails: 'failed', 'TestFails/sub_<x>_"q"_ü/y': 'passed', 'TestFails/bad': 'failed' }
  t.same(results, { ...prefix('a_test.go', expected), ...prefix('sub/b_test.go', expected) }, log)
  t.equal(code, 1)
  const told = play(runners['go test'], tree, ['sub/b_test.go'], join(folder, 'work'), { GOFLAGS: '-mod=mod', GOPROXY: 'off' }, 'skipped')
  t.same(told.results, prefix('sub/b_test.go', expected))
})

t.test('parsers cope with a log that is cut, empty, or not text', async t => {
  const work = join(testFolder(t), 'work')
  for (const runner of Object.values(runners)) {
    for (const log of ['', '\n\n', '\xff\xfe\x00', '{"Action":"pass"', '# file: a\n# Subtest: x\n    ok 1 - y']) {
      const { parserCode } = parse(runner, Buffer.from(log, 'latin1'), work)
      t.equal(parserCode, 1, `${runner.name} refuses ${JSON.stringify(log)}`)
    }
  }
})
