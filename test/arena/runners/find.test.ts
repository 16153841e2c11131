import t from 'tap'
import { findRunner, isTestInfrastructure, isTestPath } from '../../../src/arena/runners/index.ts'
import { memoryTree } from '../support.ts'

const describeIt = "describe('a', () => { it('b', () => {}) })"
const table: [name: string, files: Record<string, string>, runner: string | null, testFiles: string[]][] = [
  ['node:test by import', { 'package.json': '{"scripts":{"test":"borp"}}', 'test/a.test.js': "const { test } = require('node:test')\ntest('x', () => {})" }, 'node:test', ['test/a.test.js']],
  ['node:test in modules, with another name', { 'package.json': '{}', 'test.mjs': "import check from 'node:test'\ncheck('x', () => {})" }, 'node:test', ['test.mjs']],
  ['tape, whatever the manifest says', { 'package.json': '{"scripts":{"test":"jest"}}', 'test/a.js': "var test = require('tape');\ntest('x', t => t.end())", 'test/b.js': "require('tape')('y', t => t.end())\ntest('z')" }, 'tape', ['test/a.js', 'test/b.js']],
  ['tap with assertions at the root', { 'package.json': '{}', 'test/a.js': "import t from 'tap'\nt.equal(1, 1)" }, 'tap', ['test/a.js']],
  ['mocha by script', { 'package.json': '{"scripts":{"test":"nyc mocha --exit"}}', 'test/a.js': describeIt }, 'mocha', ['test/a.js']],
  ['jest by dependency', { 'package.json': '{"devDependencies":{"jest":"^29"}}', 'src/__tests__/a.ts': describeIt, 'src/a.ts': 'export const a = 1' }, 'jest', ['src/__tests__/a.ts']],
  ['vitest before jest when its script runs it', { 'package.json': '{"scripts":{"test":"vitest run"},"devDependencies":{"jest":"1"}}', 'a.spec.ts': describeIt }, 'vitest', ['a.spec.ts']],
  ['through a helper', { 'package.json': '{}', 'test/helper.js': "exports.test = require('tape')", 'test/a.js': "const { test } = require('./helper')\ntest('x', t => t.end())" }, 'tape', ['test/a.js']],
  ['helpers and fixtures do not count', { 'package.json': '{}', 'test/a.js': "require('tape')('x', t => t.end())\ntest('y')", 'test/cases.js': 'module.exports = [1]', 'test/fixtures/b.js': "require('tape').test('x')" }, 'tape', ['test/a.js']],
  ['a runner that the table lacks', { 'package.json': '{"scripts":{"test":"ava"}}', 'test/a.js': "import test from 'ava'\ntest('x', t => t.pass())" }, null, []],
  ['globals without a runner', { 'package.json': '{}', 'test/a.js': describeIt }, null, []],
  ['pytest by import', { 'tests/test_a.py': 'import pytest\ndef test_x(): pass', 'tests/conftest.py': '' }, 'pytest', ['tests/test_a.py']],
  ['pytest by functions', { 'pkg/tests/test_a.py': 'def test_x(): pass' }, 'pytest', ['pkg/tests/test_a.py']],
  ['pytest by configuration', { 'tox.ini': '[testenv]\ncommands = pytest', 'tests/test_a.py': 'import unittest\nclass A(unittest.TestCase):\n    def test_x(self): pass' }, 'pytest', ['tests/test_a.py']],
  ['unittest when nothing names pytest', { 'tests/__init__.py': '', 'tests/test_a.py': 'import unittest\nclass A(unittest.TestCase):\n    def test_x(self): pass', 'tests/support.py': 'x = 1' }, 'unittest', ['tests/test_a.py']],
  ['go', { 'go.mod': 'module m', 'a_test.go': 'package m\nfunc TestA(t *testing.T) {}', 'b/vendor/c_test.go': 'func TestC(t *testing.T) {}', 'sub/go.mod': 'module n', 'sub/d_test.go': 'func TestD(t *testing.T) {}' }, 'go test', ['a_test.go']],
  ['the ecosystem with more tests', { 'package.json': '{"scripts":{"test":"mocha"}}', 'docs/test/a.js': describeIt, 'tests/test_a.py': 'def test_x(): pass', 'tests/test_b.py': 'def test_x(): pass' }, 'pytest', ['tests/test_a.py', 'tests/test_b.py']],
  ['no tests', { 'package.json': '{}', 'index.js': 'test()' }, null, []]
]

for (const [name, files, runner, testFiles] of table) {
  t.test(`finds: ${name}`, async t => {
    const found = await findRunner(memoryTree(files))
    t.equal(found?.runner ?? null, runner)
    t.same(found?.testFiles ?? [], testFiles)
  })
}

t.test('a manifest that is no JSON is no reason to give up', async t => {
  const found = await findRunner(memoryTree({ 'package.json': '{', 'test/a.js': "require('tape')('x')\ntest('y')" }))
  t.equal(found?.runner, 'tape')
})

t.test('tells tests from code', async t => {
  for (const path of ['test/a.js', 'src/x/__tests__/y.ts', 'a.test.ts', 'a_test.go', 'pkg/testdata/x.json', 'tests/conftest.py', 'test_a.py', 'a_test.py', 'x/tests.py', 'test.js', 'types/a.test-d.ts', 'conftest.py']) t.ok(isTestPath(path), path)
  for (const path of ['src/a.js', 'lib/testing/a.py', 'contest.js', 'latest.go', 'src/attest.py', 'index.js', 'test', 'package.json']) t.notOk(isTestPath(path), path)
})

t.test('tells what decides how tests run', async t => {
  for (const path of ['conftest.py', 'a/conftest.py', 'pytest.ini', 'tox.ini', 'setup.cfg', 'pyproject.toml', 'noxfile.py', 'package.json', 'package-lock.json', '.mocharc.yml', 'jest.config.ts', 'vitest.config.mts', 'babel.config.js', '.babelrc', '.taprc', 'tsconfig.build.json', 'go.mod', 'go.sum', '.github/workflows/ci.yml', 'sitecustomize.py', 'x.pth', 'node_modules/x/index.js', 'x.dist-info/METADATA']) t.ok(isTestInfrastructure(path), path)
  for (const path of ['src/config.js', 'a.py', 'lib/package.js', 'go/mod.go', 'test/a.js']) t.notOk(isTestInfrastructure(path), path)
})
