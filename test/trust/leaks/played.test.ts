// Goal: whoever plays, and whoever looks, is told of leaks; rewards are as they were. Method: the real command line on a small
// repository that holds its code twice.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { decodeRecord } from '../../../src/rollout/record.ts'
import type { Sample, SolveResult } from '../../../src/run/results.ts'
import type { RunSummary } from '../../../src/run/summary.ts'
import { git, text, writeFiles } from '../../artifact/git.ts'
import { spar } from '../../helpers/spar.ts'
import { testFolder } from '../../helpers/test-folder.ts'

const code = `'use strict'

function weightedAverage (values, weights) {
  const totalWeight = weights.reduce((sum, weight) => sum + weight, 0)
  if (totalWeight === 0) throw new RangeError('weights sum up to nothing')
  return values.reduce((sum, value, index) => sum + value * weights[index], 0) / totalWeight
}

function clampToRange (value, lowest, highest) {
  if (value < lowest) return lowest
  return value > highest ? highest : value
}

module.exports = { weightedAverage, clampToRange }
`
const tests = `const { test } = require('node:test')
const { equal, throws } = require('node:assert')
const { weightedAverage, clampToRange } = require('../lib/numbers.js')

${Array.from({ length: 6 }, (_, index) => `test('average ${index}', () => { equal(weightedAverage([${index}, ${index + 2}], [1, 1]), ${index + 1}) })`).join('\n')}
${Array.from({ length: 6 }, (_, index) => `test('clamp ${index}', () => { equal(clampToRange(${index}, 1, 4), ${Math.min(4, Math.max(1, index))}) })`).join('\n')}
test('nothing', () => { throws(() => weightedAverage([1], [0]), RangeError) })
`

t.test('a repository that holds its code twice', { timeout: 600_000 }, async t => {
  const cwd = testFolder(t)
  const options = { cwd, home: process.env['SPAR_TEST_HOME'] ?? join(cwd, 'home') }
  const target = join(cwd, 'numbers')
  writeFiles(target, { 'package.json': text('{"name":"numbers","version":"1.0.0"}\n'), 'lib/numbers.js': text(code), 'test/numbers.test.js': text(tests), 'notes/numbers.txt': text(code) })
  execFileSync('git', ['init', '-q', '-b', 'main', target])
  git(target, ['add', '-A'])
  git(target, ['commit', '-q', '-m', 'all'])
  const played = await spar(['play', target, '--episodes', '2', '--group', '2', '--min-scored', '1', '--min-files', '1', '--min-passing', '5', '--strategy', 'removal=1,history=0', '--max-order', '1', '--sandbox', 'process', '--out', join(cwd, 'run'), '--json'], options)
  t.equal(played.code, 0, played.err)
  const { bugs } = played.json as RunSummary
  t.ok(bugs.length > 0, 'there is a bug')

  const samples = readFileSync(join(cwd, 'run', 'samples.jsonl'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as Sample)
  const solvers = samples.filter(({ role }) => role === 'solver')
  t.ok(solvers.length >= 2)
  for (const { rollout_id: rollout, reward } of solvers) {
    t.ok(reward === 1 || reward === -1, 'the reward is what it was')
    const { integrity } = decodeRecord(readFileSync(join(cwd, 'run', 'trajectories', `${rollout}.msgpack`)))
    t.match(integrity.findings, [/^leak-copy: \S*notes\/numbers\.txt holds the original of .* lib\/numbers\.js$/])
    t.same((JSON.parse(readFileSync(join(cwd, 'run', 'results', `${rollout}.json`), 'utf8')) as SolveResult).findings, integrity.findings)
  }
  const shown = await spar(['show', join(cwd, 'run')], options)
  t.match(shown.out, new RegExp(`Leaks to the solver: findings in ${solvers.length} rollouts\\n  bug-`))
  t.equal((await spar(['show', join(cwd, 'run'), '--json'], options)).json.leaks.length, bugs.length)

  const bug = join(cwd, 'run', 'bugs', bugs[0]!.id)
  const leaks = await spar(['leaks', bug, '--sandbox', 'process', '--json'], options)
  t.equal(leaks.code, 1, leaks.err)
  t.match(leaks.json, { id: bugs[0]!.id, commit: /^[0-9a-f]{40}$/, findings: [/^leak-copy/] })

  git(target, ['rm', '-q', 'notes/numbers.txt'])
  git(target, ['commit', '-q', '-m', 'once'])
  const clean = await spar(['leaks', bug, '--target', target, '--sandbox', 'process'], options)
  t.equal(clean.code, 0, clean.err)
  t.match(clean.out, /nothing of the original can be read/)
})
