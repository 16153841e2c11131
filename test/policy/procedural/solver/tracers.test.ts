// Goal: the tracer for Node knows which lines run under failing and which under passing tests, for each library whose tests
// it can tell apart, and changes no result. Method: the real libraries on a small program with one bug.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ochiai, readTestSpectrum } from '../../../../src/policy/procedural/solver/spectrum.ts'
import { nodeTracer } from '../../../../src/policy/procedural/solver/tracers.ts'
import { testFolder } from '../../../helpers/test-folder.ts'

const code = `exports.sign = function (n) {
  if (n < 0) {
    return 1
  }
  return n === 0 ? 0 : 1
}
`
const packages = { tape: 'tape@5.9.0', mocha: 'mocha@10.8.2' }

function makeTree (dir: string, test: string): string {
  mkdirSync(join(dir, 'lines'))
  writeFileSync(join(dir, 'tracer.cjs'), nodeTracer)
  writeFileSync(join(dir, 'package.json'), '{"name":"traced","private":true}')
  writeFileSync(join(dir, 'code.js'), code)
  writeFileSync(join(dir, 'test.js'), test)
  return dir
}

function run (t: Test, tree: string, args: string[]): void {
  const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, NODE_TEST_CONTEXT: ___, ...env } = process.env
  const go = (more: NodeJS.ProcessEnv): { status: number | null; results: string[] } => {
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: tree, env: { ...env, ...more }, encoding: 'utf8' })
    return { status, results: stdout.match(/^ *(not )?ok \d+.*|\d+ (passing|failing)/gm) ?? [] }
  }
  const plain = go({})
  const traced = go({ NODE_OPTIONS: `--require ${join(tree, 'tracer.cjs')}`, SOLVER_TREE: tree, SOLVER_LINES: join(tree, 'lines') })
  t.ok(plain.results.length > 0)
  t.same({ ...traced, results: traced.results.map(untimed) }, { ...plain, results: plain.results.map(untimed) }, 'tracing changes no result')
}

const untimed = (line: string): string => line.replace(/ \(\d+ms\)/, '')

function check (t: Test, tree: string): void {
  const spectrum = readTestSpectrum(readdirSync(join(tree, 'lines')).map(name => readFileSync(join(tree, 'lines', name), 'utf8')).join('\n'))
  t.equal(spectrum.failing, 1)
  const lines = spectrum.lines.get('code.js')!
  t.same(lines.get(3), { failing: 1, passing: 0 }, 'only the failing test runs the bug')
  t.same(lines.get(2), { failing: 1, passing: 2 })
  t.same(lines.get(5), { failing: 0, passing: 2 })
  t.ok(ochiai(spectrum, 'code.js', 3) > ochiai(spectrum, 'code.js', 2))
}

t.test('node:test, with promises, callbacks and subtests', async t => {
  const tree = makeTree(testFolder(t), `const { test } = require('node:test')
const assert = require('node:assert')
const { sign } = require('./code.js')
test('positive', async () => assert.equal(sign(2), 1))
test('zero', (t, done) => { setImmediate(() => { assert.equal(sign(0), 0); done() }) })
test('negative', () => assert.equal(sign(-2), -1))
`)
  run(t, tree, ['--test-reporter=tap', 'test.js'])
  check(t, tree)
})

t.test('libraries from the registry', { timeout: 300_000 }, async t => {
  const cases: [string, string, string[]][] = [
    [packages.tape, `const test = require('tape')
const { sign } = require('./code.js')
test('signs', t => {
  t.equal(sign(2), 1)
  t.equal(sign(0), 0)
  t.equal(sign(-2), -1)
  t.end()
})
`, ['test.js']],
    [packages.mocha, `const assert = require('assert')
const { sign } = require('./code.js')
describe('sign', () => {
  it('positive', () => assert.equal(sign(2), 1))
  it('zero', async () => assert.equal(sign(0), 0))
  it('negative', () => assert.equal(sign(-2), -1))
})
`, ['node_modules/mocha/bin/mocha.js', 'test.js']]
  ]
  for (const [name, test, args] of cases) {
    t.test(name, async t => {
      const tree = makeTree(testFolder(t), test)
      execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', name], { cwd: tree })
      run(t, tree, args)
      check(t, tree)
    })
  }
})
