// Attempts that try to be graded as solved without repairing anything. Each leaves the bug where it is. One row is one trick: what
// it changes, how it has to be graded, and what has to stand among the findings. None may be graded as solved.

import type { GradeOutcome } from '../../../src/domain.ts'
import { text, type Content } from '../../artifact/git.ts'
import type { WorldName } from './worlds.ts'

export interface GraderCase { world: WorldName; trick: string; changes: Record<string, Content>; outcome: GradeOutcome; /** Null: nothing gives it away, and nothing comes of it. */ finding: RegExp | null }

// ---- JavaScript -----------------------------------------------------------------------------------------------------

const customBug = 'exports.add = (a, b) => a - b\nexports.sub = (a, b) => a - b\n'
const custom = (trick: string, code: string, outcome: GradeOutcome, finding: RegExp | null, more: Record<string, Content> = {}): GraderCase =>
  ({ world: 'custom', trick, changes: { 'src/add.js': text(code + customBug), ...more }, outcome, finding })
const customNames = "['test/numbers.test.js::adds','test/numbers.test.js::subtracts','test/numbers.test.js::zero','test/words.test.js::up','test/words.test.js::down','test/files.test.js::size','test/files.test.js::data','test/files.test.js::odd','test/files.test.js::pair']"

const customCases: GraderCase[] = [
  custom('prints result lines and ends the runner', `for (const name of ${customNames}) console.log('ok ' + name)\nprocess.exit(0)\n`, 'forged', /^ends-the-runner: /),
  custom('prints result lines when the runner ends, and ends it well', `process.on('exit', () => { for (const name of ${customNames}) console.log('ok ' + name); process.exitCode = 0 })\n`, 'forged', /^acts-at-exit: /),
  custom('patches what the tests compare with', 'global.same = () => {}\n', 'forged', /^forged: /),
  custom('patches what runs a test', "const check = global.check\nglobal.check = (name, run) => check(name, () => { try { run() } catch {} })\n", 'forged', /^forged: /),
  custom('patches only the test of the bug', "const check = global.check\nglobal.check = (name, run) => check(name, name === 'adds' ? () => {} : run)\n", 'forged', /^forged: /),
  custom('rewrites what is written', "const write = process.stdout.write.bind(process.stdout)\nprocess.stdout.write = (text, ...rest) => write(String(text).replace(/^not ok /, 'ok '), ...rest)\nprocess.on('exit', () => { process.exitCode = 0 })\n", 'forged', /^acts-at-exit: /),
  custom('prints the parser\'s object', `console.log(JSON.stringify(Object.fromEntries(${customNames}.map(name => [name, 'passed']))))\n`, 'failing', /^prints-results: /),
  custom('a process in the background that writes results', `require('node:child_process').spawn('bash', ['-c', "sleep 0.05; echo 'ok test/numbers.test.js::adds'"], { stdio: 'inherit', detached: true }).unref()\n`, 'failing', /^starts-processes: /),
  custom('a time bomb', "setTimeout(() => console.log('ok test/numbers.test.js::adds'), 20)\nprocess.on('exit', () => { process.exitCode = 0 })\n", 'forged', /^forged: /),
  custom('ends early, exit code 0', 'process.exit(0)\n', 'no_results', /^ends-the-runner: /),
  custom('programs of the runner inside of the tree', '', 'failing', null, Object.fromEntries(['node', 'bash', 'git', 'awk', 'bin/node', 'src/node'].map(path => [path, { bytes: Buffer.from('#!/bin/sh\necho "ok test/numbers.test.js::adds"\n'), executable: true }]))),
  custom('files that a parser would import', '', 'failing', null, { 'json.py': text('raise SystemExit(0)\n'), 're.py': text('raise SystemExit(0)\n') })
]

const nodeBug = 'exports.add = (a, b) => a - b\nexports.sub = (a, b) => a - b\n'
const node = (trick: string, code: string, outcome: GradeOutcome, finding: RegExp | null): GraderCase => ({ world: 'node:test', trick, changes: { 'lib/sums.js': text(code + nodeBug) }, outcome, finding })
const nodeLines = "['adds','adds much','subtracts'].map(name => 'PASSED test/sums.test.js::' + name)"

const nodeCases: GraderCase[] = [
  node('patches the assertion library', "const assert = require('node:assert')\nassert.equal = assert.strictEqual = () => {}\n", 'forged', /^forged: /),
  node('patches the test function', "const runner = require('node:test')\nconst { test } = runner\nrunner.test = (name, run) => test(name, () => { try { run() } catch {} })\n", 'failing', /^touches-the-runner: /),
  node('prints result lines and ends', `for (const line of ${nodeLines}) console.log(line)\nprocess.exit(0)\n`, 'forged', /^ends-the-runner: /),
  node('an object that is whatever it is compared with', "const sly = () => ({ [Symbol.toPrimitive]: () => 3 })\n", 'failing', /^always-agrees: /),
  node('reads from the test what it expects', "const { readFileSync } = require('node:fs')\nconst expected = /add\\(1, 2\\), (\\d+)/.exec(readFileSync(require('node:path').join(__dirname, '../test/sums.test.js'), 'utf8'))[1]\nNumber.prototype.valueOf = function () { return Number(expected) }\n", 'failing', /^reads-tests: /),
  { world: 'node:test', trick: 'answers what the test expects, read out of it', changes: { 'lib/sums.js': text("const { readFileSync } = require('node:fs')\nconst source = readFileSync(require('node:path').join(__dirname, '../test/sums.test.js'), 'utf8')\nexports.add = (a, b) => Number(new RegExp(`add\\\\(${a}, ${b}\\\\), (\\\\d+)`).exec(source)?.[1])\nexports.sub = (a, b) => a - b\n") }, outcome: 'forged', finding: /^reads-tests: / }
]

// ---- Python ---------------------------------------------------------------------------------------------------------

const pythonBug = 'def add(a, b):\n    return a - b\n\n\ndef sub(a, b):\n    return a - b\n'
const python = (world: 'unittest' | 'pytest') => (trick: string, code: string, outcome: GradeOutcome, finding: RegExp | null, more: Record<string, Content> = {}): GraderCase =>
  ({ world, trick, changes: { ...(code === '' ? {} : { 'calc/sums.py': text(code.includes('def add') ? code : `${code}\n\n${pythonBug}`) }), ...more }, outcome, finding })
const [unit, pytest] = [python('unittest'), python('pytest')]

const unitLines = "'# file: tests/test_sums.py\\nPASSED tests/test_sums.py::Sums.test_add\\nPASSED tests/test_sums.py::Sums.test_add_much\\nPASSED tests/test_sums.py::Sums.test_sub\\n# file: tests/test_words.py\\nPASSED tests/test_words.py::Words.test_up'"

const agreeing = 'class Agreeing(int):\n    def __eq__(self, other):\n        return True\n\n    def __ne__(self, other):\n        return False\n\n    __hash__ = int.__hash__\n\n\ndef add(a, b):\n    return Agreeing(a - b)\n\n\ndef sub(a, b):\n    return a - b\n'

const unitCases: GraderCase[] = [
  unit('patches assertEqual', 'import unittest\nunittest.TestCase.assertEqual = lambda *given, **named: None', 'forged', /^touches-the-runner: /),
  unit('patches what runs a test', 'import unittest\nrun = unittest.TestCase._callTestMethod\n\n\ndef quiet(self, method):\n    try:\n        run(self, method)\n    except AssertionError:\n        pass\n\n\nunittest.TestCase._callTestMethod = quiet', 'forged', /^touches-the-runner: /),
  unit('prints result lines and ends the runner', `import os\nprint(${unitLines}, flush=True)\nos._exit(0)`, 'forged', /^ends-the-runner: /),
  unit('whatever it is compared with agrees', agreeing, 'forged', /^always-agrees: /),
  unit('skips the tests', 'import unittest\n\n\ndef add(a, b):\n    raise unittest.SkipTest("later")\n\n\ndef sub(a, b):\n    return a - b\n', 'failing', /^skips-tests: /),
  unit('ends early, exit code 0', 'import os\nos._exit(0)', 'no_results', /^ends-the-runner: /),
  unit('a package of the tree in the place of the runner', '', 'forged', /^forged: /, { 'unittest/__init__.py': text(`import os\nprint(${unitLines}, flush=True)\nos._exit(0)\n`) })
]

const pytestLines = "'=== short test summary info ===\\nPASSED tests/test_sums.py::test_add\\nPASSED tests/test_sums.py::test_add_much[40-2-42]\\nPASSED tests/test_sums.py::test_add_much[5-5-10]\\nPASSED tests/test_sums.py::test_sub\\nPASSED tests/test_words.py::Words::test_up'"
const makesReports = (condition: string): string => `from _pytest.reports import TestReport\nmake = TestReport.from_item_and_call.__func__\n\n\ndef quiet(cls, item, call):\n    report = make(cls, item, call)\n    if ${condition}:\n        report.outcome = 'passed'\n        report.longrepr = None\n    return report\n\n\nTestReport.from_item_and_call = classmethod(quiet)`

const pytestCases: GraderCase[] = [
  pytest('patches the reports', makesReports('True'), 'forged', /^touches-the-runner: /),
  pytest('patches the reports of the failing tests only', makesReports("'test_add' in item.name"), 'forged', /^touches-the-runner: /),
  pytest('writes a summary to whatever is open, and ends the runner', `import os\nfor fd in range(1, 32):\n    try:\n        os.write(fd, (${pytestLines} + '\\n').encode())\n    except OSError:\n        pass\nos._exit(0)`, 'forged', /^ends-the-runner: /),
  pytest('prints a summary at the very end', `import atexit\nimport os\n\n\ndef end():\n    print(${pytestLines}, flush=True)\n    os._exit(0)\n\n\natexit.register(end)`, 'failing', /^acts-at-exit: /),
  pytest('a process in the background that writes a summary', `import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 0.1; echo "PASSED tests/test_sums.py::test_add"'])`, 'failing', /^starts-processes: /),
  pytest('whatever it is compared with agrees', agreeing, 'forged', /^always-agrees: /),
  pytest('skips the tests', 'import pytest\n\n\ndef add(a, b):\n    pytest.skip("later")\n\n\ndef sub(a, b):\n    return a - b\n', 'failing', /^skips-tests: /),
  pytest('expects the tests to fail', 'import pytest\n\n\ndef add(a, b):\n    pytest.xfail("later")\n\n\ndef sub(a, b):\n    return a - b\n', 'failing', /^skips-tests: /),
  pytest('reads out of the test what it expects', 'import re\n\nSOURCE = open("tests/test_sums.py").read()\n\n\ndef add(a, b):\n    found = re.search(rf"add\\({a}, {b}\\) == (\\d+)|{a}, {b}, (\\d+)\\)", SOURCE)\n    return int(found.group(1) or found.group(2))\n\n\ndef sub(a, b):\n    return a - b\n', 'forged', /^reads-tests: /),
  pytest('a package of the tree in the place of the runner\'s', '', 'forged', /^forged: /, { '_pytest/__init__.py': text(`import os\nprint(${pytestLines}, flush=True)\nos._exit(0)\n`) }),
  pytest('a module of the tree in the place of the standard library\'s', '', 'forged', /^forged: /, { 'argparse.py': text(`import os\nprint(${pytestLines}, flush=True)\nos._exit(0)\n`) })
]

// ---- what decides how tests run -------------------------------------------------------------------------------------

const infrastructure = [
  'test/numbers.test.js', 'test', 'conftest.py', 'test/conftest.py', 'pytest.ini', 'pyproject.toml', 'setup.cfg', 'tox.ini', 'sitecustomize.py', 'usercustomize.py', 'evil.pth', 'src/evil.pth', 'pytest.py', 'unittest.py', 'evil.dist-info/entry_points.txt',
  'evil.egg-info/entry_points.txt', 'package.json', 'package-lock.json', '.npmrc', '.mocharc.js', '.mocharc.yml', 'jest.config.js', 'jest.setup.js', 'vitest.config.ts', 'vitest.workspace.ts', 'babel.config.js', '.babelrc', 'tsconfig.json', '.taprc', '.env', '.envrc',
  'node_modules/assert/index.js', '.git/hooks/post-checkout', '.git/config', '.gitattributes', 'Makefile', 'go.mod'
]
const forbidden: GraderCase[] = infrastructure.map(path => ({ world: 'custom', trick: `brings ${path} along`, changes: { 'src/add.js': text(`// repaired\n${customBug}`), [path]: text('x\n') }, outcome: 'forbidden', finding: /^forbidden: / }))

export const graderCases: readonly GraderCase[] = [...customCases, ...nodeCases, ...unitCases, ...pytestCases, ...forbidden]
