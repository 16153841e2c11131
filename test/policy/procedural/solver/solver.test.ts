// Goal: the whole solver on a real tree, through the real tools, workers and node:test. Method: a small package with one
// flipped operator whose failing tests were deleted; the sandbox is a temporary folder and plain bash, since everything
// that runs here is ours.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import t from 'tap'
import type { Observation, ToolCall } from '../../../../src/domain.ts'
import { createProceduralSolver } from '../../../../src/policy/procedural/solver.ts'
import type { Sandbox } from '../../../../src/ports.ts'
import { executeTool, toolLimits } from '../../../../src/rollout/tools.ts'
import { createPool } from '../../../../src/workers/pool.ts'
import { testFolder } from '../../../helpers/test-folder.ts'

const code = `'use strict'

exports.clamp = function clamp (value, low, high) {
  if (value > low) return low
  if (value > high) return high
  return value
}

exports.sum = function sum (values) {
  let total = 0
  for (const value of values) total += value
  return total
}
`
const head = "'use strict'\nconst test = require('node:test')\nconst assert = require('node:assert')\nconst { clamp, sum } = require('..')\n\n"
const kept = "test('sums', () => {\n  assert.strictEqual(sum([1, 2, 3]), 6)\n})\n"
const lost = "\ntest('clamps from below', () => {\n  assert.strictEqual(clamp(1, 2, 4), 2)\n})\n\ntest('leaves what is between', () => {\n  assert.strictEqual(clamp(3, 2, 4), 3)\n})\n"

const bash = (cwd: string, command: string): string => spawnSync('bash', ['-c', command], { cwd, encoding: 'utf8' }).stdout

interface Ending { calls: ToolCall[]; diff: string | null; fault: string | null }

function makeTree (dir: string): { tree: string; scratch: string; oraclePatch: string } {
  const tree = join(dir, 'tree')
  mkdirSync(join(tree, 'test'), { recursive: true })
  mkdirSync(join(dir, 'scratch'))
  writeFileSync(join(tree, 'package.json'), '{"name":"clamp","main":"index.js","scripts":{"test":"node --test"}}\n')
  writeFileSync(join(tree, 'index.js'), code)
  writeFileSync(join(tree, 'test/clamp.test.js'), head + kept)
  bash(tree, 'git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm tree')
  writeFileSync(join(tree, 'test/clamp.test.js'), head + kept + lost)
  const oraclePatch = bash(tree, 'git diff')
  bash(tree, 'git checkout -q -- .')
  return { tree, scratch: join(dir, 'scratch'), oraclePatch }
}

function folder (tree: string, scratch: string): Sandbox {
  const at = (path: string): string => isAbsolute(path) ? path : join(tree, path)
  const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, NODE_TEST_CONTEXT: ___, TAP: ____, ...env } = process.env
  return {
    id: 'folder', kind: 'process', isolation: 'none', tree, scratch,
    async exec (command) {
      const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: tree, env })
      return { exitCode: status, output: Buffer.concat([stdout, stderr]), truncatedBytes: 0, killed: null, durationMs: 0 }
    },
    readFile: async path => readFileSync(at(path)),
    writeFile: async (path, bytes) => {
      mkdirSync(dirname(at(path)), { recursive: true })
      writeFileSync(at(path), bytes)
    },
    destroy: async () => {}
  }
}

async function play (dir: string, seed: number): Promise<Ending> {
  const { tree, scratch, oraclePatch } = makeTree(dir)
  const workers = createPool({ threads: 1 })
  const limits = { turnsMax: 128, tokensMax: 131_072, commandMsMax: 120_000 }
  const session = createProceduralSolver({ workers }).start({ role: 'solver', rolloutId: 'r', seed, tree, scratch, testCommand: null, oraclePatch, ...limits })
  const ending: Ending = { calls: [], diff: null, fault: null }
  let observation: Observation | null = null
  try {
    for (let turnsLeft = limits.turnsMax - 1; turnsLeft >= 0; turnsLeft--) {
      const { call, fault } = await session.next(observation, new AbortController().signal)
      if (call === null) return { ...ending, fault }
      ending.calls.push(call)
      if (call.tool === 'submit') return { ...ending, diff: bash(tree, 'git status --short; git diff') }
      observation = { ...await executeTool(folder(tree, scratch), call, toolLimits), turnsLeft, tokensLeft: limits.tokensMax }
    }
    return ending
  } finally {
    await session.close()
    await workers.close()
  }
}

const withoutFolder = (calls: ToolCall[], dir: string): string => JSON.stringify(calls).replaceAll(dir, '')

t.test('a flipped operator is found again, and the diff holds that line alone', { timeout: 300_000 }, async t => {
  const dir = testFolder(t, { a: {}, b: {} })
  const first = await play(join(dir, 'a'), 1)
  t.equal(first.fault, null)
  t.match(first.diff, /^ M index\.js\ndiff --git a\/index\.js/)
  t.match(first.diff, /\n-  if \(value > low\) return low\n\+  if \(.*\) return low\n/)
  t.equal(first.calls.at(-1)?.tool, 'submit')
  const again = await play(join(dir, 'b'), 1)
  t.equal(withoutFolder(again.calls, join(dir, 'b')), withoutFolder(first.calls, join(dir, 'a')), 'the same seed plays the same calls')
})
