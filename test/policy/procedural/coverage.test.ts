// Goal: the lines that a test file runs come out right for each ecosystem, whatever the test file runs in.
// Method: a tiny package with two functions, of which each test file calls one.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { installGo } from '../../../src/arena/install/go.ts'
import { arenaLimits } from '../../../src/arena/limits.ts'
import { runners } from '../../../src/arena/runners/index.ts'
import type { Runner } from '../../../src/arena/runners/types.ts'
import type { Arena, Observation } from '../../../src/domain.ts'
import { coversAny, measureCoverage, type CoverageRun } from '../../../src/policy/procedural/coverage.ts'
import type { Play } from '../../../src/policy/procedural/session.ts'
import { toolTree } from '../../../src/policy/procedural/tree.ts'
import { executeTool, toolLimits } from '../../../src/rollout/tools.ts'
import { createProcessSandboxes } from '../../../src/sandbox/index.ts'
import { breakerTask, makeArena, openSandbox, type Files } from '../../helpers/arena-fixture.ts'
import { testFolder } from '../../helpers/test-folder.ts'

const base = testFolder(t)
const sandboxes = await createProcessSandboxes({ home: join(base, 'home') })
let arenas = 0
t.teardown(async () => { await sandboxes.close() })

/** Why a test cannot run; in CI everything must be there. */
function missing (program: string, argument: string): string | false {
  try {
    execFileSync(program, [argument])
    return false
  } catch (error) {
    if (process.env['CI']) throw error
    return `no ${program} here`
  }
}

/** Plays a part of a program to its answer. */
async function answer<T> (play: Play<T>, call: (step: { text: string; call: Parameters<typeof executeTool>[1] }) => Promise<Observation>): Promise<T> {
  for (let step = await play.next(); ;) {
    if (step.done) return step.value
    step = await play.next(await call(step.value as never))
  }
}

async function measure (files: Files, runner: Runner, testFiles: string[], about: Partial<Arena> = {}): Promise<Map<string, CoverageRun>> {
  const dir = join(base, `arena-${arenas++}`)
  const made = makeArena(dir, [files], about)
  // Go compiles its standard library first: an arena brings it along.
  const request = { tree: join(dir, 'tree'), env: join(dir, 'env'), work: dir, reader: null as never, found: null as never, testCommand: null, limits: arenaLimits, onProgress: () => {} }
  const arena = made.ecosystem === 'go' ? { ...made, ...await installGo(request) } : made
  const sandbox = await openSandbox(sandboxes, arena)
  try {
    return await answer(measureCoverage(toolTree(breakerTask(sandbox)), runner, testFiles), async ({ call }) =>
      ({ ...await executeTool(sandbox, call, toolLimits), turnsLeft: 100, tokensLeft: 100_000 }))
  } finally { await sandbox.destroy() }
}

function checkBoth (t: Test, runs: Map<string, CoverageRun>, code: string, one: { test: string; line: number }, other: { test: string; line: number }): void {
  for (const [mine, others] of [[one, other], [other, one]] as const) {
    const run = runs.get(mine.test)!
    t.ok(run.measured, `${mine.test} was traced`)
    t.strictSame(Object.values(run.results ?? {}), ['passed'])
    t.ok(coversAny(run.lines.get(code), mine.line, mine.line), `${mine.test} runs line ${mine.line}`)
    t.notOk(coversAny(run.lines.get(code), others.line, others.line), `${mine.test} does not run line ${others.line}`)
  }
}

const script = `'use strict'
function one (value) {
  return value + 1
}
function two (value) {
  return value * 2
}
module.exports = { one, two }
`

t.test('node:test', async t => {
  const test = (name: string, result: number): string => `const test = require('node:test')\nconst assert = require('node:assert')\nconst code = require('../lib/code')\ntest('${name}', () => assert.equal(code.${name}(3), ${result}))\n`
  const runs = await measure({ 'lib/code.js': script, 'test/one.test.js': test('one', 4), 'test/two words.test.js': test('two', 6) },
    runners['node:test'], ['test/one.test.js', 'test/two words.test.js'])
  checkBoth(t, runs, 'lib/code.js', { test: 'test/one.test.js', line: 3 }, { test: 'test/two words.test.js', line: 6 })
})

t.test('unittest', { skip: missing('python3', '--version') }, async t => {
  const test = (name: string, result: number): string => `import unittest\nfrom code_ import ${name}\n\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertEqual(${name}(3), ${result})\n`
  const runs = await measure({ 'code_.py': 'def one(value):\n    return value + 1\n\ndef two(value):\n    return value * 2\n', 'tests/test_one.py': test('one', 4), 'tests/test_two.py': test('two', 6) },
    runners.unittest, ['tests/test_one.py', 'tests/test_two.py'], { ecosystem: 'python', runner: 'unittest', env: { PYTHONPATH: '{tree}' } })
  checkBoth(t, runs, 'code_.py', { test: 'tests/test_one.py', line: 2 }, { test: 'tests/test_two.py', line: 5 })
})

t.test('go test', { skip: missing('go', 'version') }, async t => {
  const test = (name: string, result: number): string => `package code\n\nimport "testing"\n\nfunc Test${name}(t *testing.T) {\n\tif ${name}(3) != ${result} {\n\t\tt.Fatal("no")\n\t}\n}\n`
  const runs = await measure({ 'go.mod': 'module example.org/code\n\ngo 1.20\n', 'code.go': 'package code\n\nfunc One(value int) int {\n\treturn value + 1\n}\n\nfunc Two(value int) int {\n\treturn value * 2\n}\n', 'one_test.go': test('One', 4), 'two_test.go': test('Two', 6) },
    runners['go test'], ['one_test.go', 'two_test.go'], { ecosystem: 'go', runner: 'go test' })
  checkBoth(t, runs, 'code.go', { test: 'one_test.go', line: 4 }, { test: 'two_test.go', line: 8 })
})
