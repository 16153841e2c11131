// Goal: what the breaker submits holds in fresh copies of the arena, for every strategy; the same seed makes the same
// bug; and where there is nothing to break it gives up and says why.
// Method: a small package with its own tests and a history of three releases, real sandboxes, real runs. The checks of
// ssr.md that matter are made here by hand, apart from the code that verifies.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { BugParams, Strategy } from '../../../src/domain.ts'
import { createProceduralBreaker } from '../../../src/policy/procedural/breaker.ts'
import type { Sandbox } from '../../../src/ports.ts'
import { createProcessSandboxes } from '../../../src/sandbox/index.ts'
import { createPool } from '../../../src/workers/pool.ts'
import { breakerTask, makeArena, openSandbox, playTask, shell, type Files, type Played } from '../../helpers/arena-fixture.ts'
import { testFolder } from '../../helpers/test-folder.ts'

const base = testFolder(t)
const sandboxes = await createProcessSandboxes({ home: join(base, 'home') })
const workers = createPool({ threads: 1 })
const breaker = createProceduralBreaker({ workers })
t.teardown(async () => { await workers.close(); await sandboxes.close() })

const parse = `'use strict'

// Splits "a=1&b=2" into pairs.
function parse (text, limit = Infinity) {
  if (typeof text !== 'string') throw new TypeError('text must be a string')
  const pairs = {}
  for (const part of text.split('&').slice(0, limit)) {
    if (part === '') continue
    const at = part.indexOf('=')
    const key = at === -1 ? part : part.slice(0, at)
    pairs[decodeURIComponent(key)] = at === -1 ? '' : decodeURIComponent(part.slice(at + 1))
  }
  return pairs
}

module.exports = { parse }
`
const format = `'use strict'

function format (pairs) {
  const parts = []
  for (const [key, value] of Object.entries(pairs)) {
    if (value === undefined) continue
    parts.push(value === '' ? encodeURIComponent(key) : encodeURIComponent(key) + '=' + encodeURIComponent(value))
  }
  return parts.join('&')
}

module.exports = { format }
`
const older = parse.replace("    if (part === '') continue\n", '').replace(', limit = Infinity', '').replace('.slice(0, limit)', '')
const oldest = older.replace("  if (typeof text !== 'string') throw new TypeError('text must be a string')\n", '')
const head = "const { test, describe, it } = require('node:test')\nconst assert = require('node:assert')\n"
const parseTest = `${head}const { parse } = require('../lib/parse')

describe('parse', () => {
  it('splits', () => assert.deepEqual(parse('a=1&b=2'), { a: '1', b: '2' }))
  it('knows keys alone', () => assert.deepEqual(parse('a'), { a: '' }))
  it('decodes', () => assert.deepEqual(parse('a%20b=%26'), { 'a b': '&' }))
  it('leaves out empty parts', () => assert.deepEqual(parse('&a=1&'), { a: '1' }))
  it('stops at a limit', () => assert.deepEqual(parse('a=1&b=2', 1), { a: '1' }))
  it('refuses numbers', () => assert.throws(() => parse(1), /must be a string/))
})

// Names of tests may be put together.
for (const sign of ['=', '&']) test(\`keeps \${sign} in values\`, () => assert.equal(parse('a=' + encodeURIComponent(sign)).a, sign))
`
const formatTest = `${head}const { format } = require('../lib/format')
const { parse } = require('../lib/parse')

test('joins', () => assert.equal(format({ a: 1, b: 2 }), 'a=1&b=2'))

test('encodes', () => {
  assert.equal(format({ 'a b': '&' }), 'a%20b=%26')
})

test('leaves out undefined', () => assert.equal(format({ a: undefined, b: 2 }), 'b=2'))

test('is undone by parse', () => assert.deepEqual(parse(format({ a: '1', 'ü b': '' })), { a: '1', 'ü b': '' }))

test('gives nothing for nothing', () => assert.equal(format({}), ''))
`
const release = (code: string, test: string): Files => ({
  'package.json': '{ "name": "pairs", "main": "index.js" }\n',
  'README.md': '# pairs\n',
  'index.js': "module.exports = { ...require('./lib/parse'), ...require('./lib/format') }\n",
  'lib/parse.js': code,
  'lib/format.js': format,
  'test/parse.test.js': test,
  'test/format and back.test.js': formatTest
})
const withoutTests = (...words: string[]): string => parseTest.split('\n').filter(line => !words.some(word => line.includes(word))).join('\n')
const arena = makeArena(join(base, 'arena'), [
  release(oldest, withoutTests('refuses', 'limit', 'empty parts')), release(older, withoutTests('limit', 'empty parts')), release(parse, parseTest)
])
const params: BugParams = { minPassing: 5, minFiles: 1, minFailing: 1 }

async function play (strategy: Strategy, seed: number, wanted: Partial<BugParams> = {}): Promise<Played & { files: Record<string, Uint8Array> }> {
  const sandbox = await openSandbox(sandboxes, arena)
  try {
    const played = await playTask(breaker, breakerTask(sandbox, { strategy, seed, params: { ...params, ...wanted } }), sandbox)
    const files: Record<string, Uint8Array> = {}
    for (const [key, path] of Object.entries(played.submitted?.paths ?? {})) files[key] = await sandbox.readFile(path, 1_000_000)
    return { ...played, files }
  } finally { await sandbox.destroy() }
}

/** Results of the suite on a fresh copy with these patches; `restore` gets its original back. */
async function results (files: Record<string, Uint8Array>, patches: string[], restore: string | null = null): Promise<Record<string, string>> {
  const sandbox: Sandbox = await openSandbox(sandboxes, arena, 'tree')
  try {
    const original = restore === null ? null : await sandbox.readFile(restore, 1_000_000)
    for (const [name, bytes] of Object.entries(files)) await sandbox.writeFile(join(sandbox.scratch, name), bytes)
    for (const patch of patches) {
      const { exitCode, text } = await shell(sandbox, `git apply "${sandbox.scratch}/${patch}"`)
      if (exitCode !== 0) throw new Error(`${patch} does not apply: ${text}`)
    }
    if (original !== null) await sandbox.writeFile(restore!, original)
    const { text } = await shell(sandbox, `bash "${sandbox.scratch}/testScript" > "${sandbox.scratch}/log" 2>&1; node "${sandbox.scratch}/testParser" < "${sandbox.scratch}/log"`)
    return JSON.parse(text) as Record<string, string>
  } finally { await sandbox.destroy() }
}

const changed = (diff: Uint8Array): string[] => [...Buffer.from(diff).toString().matchAll(/^\+\+\+ b\/(.*?)\t?$/gm)].map(match => match[1]!)
const failed = (map: Record<string, string>): string[] => Object.keys(map).filter(id => map[id] === 'failed')

async function checkBug (t: Test, files: Record<string, Uint8Array>, wanted: BugParams): Promise<void> {
  const paths = changed(files['bugInject']!)
  t.ok(paths.length >= wanted.minFiles && paths.every(path => path.startsWith('lib/') || path === 'index.js'), `the bug is in code: ${paths.join(', ')}`)
  const listed = Buffer.from(files['testFiles']!).toString().split('\n')
  const weakened = changed(files['testWeaken']!)
  t.ok(weakened.length > 0 && weakened.every(path => listed.includes(path)), `the weakening is in listed tests: ${weakened.join(', ')}`)
  const clean = await results(files, [])
  t.ok(Object.keys(clean).length >= wanted.minPassing && failed(clean).length === 0, 'the tests pass on the original')
  const bug = await results(files, ['bugInject'])
  t.ok(failed(bug).length >= wanted.minFailing && Object.values(bug).includes('passed'), `the bug breaks ${failed(bug).length} of ${Object.keys(clean).length} tests`)
  const hidden = await results(files, ['bugInject', 'testWeaken'])
  t.strictSame(failed(hidden), [], 'weakened, the tests pass with the bug')
  t.ok(Object.keys(hidden).length >= Object.keys(clean).length - failed(bug).length - 2, 'no more tests were deleted than needed')
  for (const path of paths.length > 1 ? paths : []) {
    const restored = await results(files, ['bugInject'], path)
    t.ok(failed(bug).some(id => restored[id] === 'passed'), `restoring ${path} lets a failing test pass`)
  }
}

for (const strategy of ['removal', 'history', 'direct'] as const) {
  t.test(`${strategy}: what is submitted holds in fresh copies`, async t => {
    const { files, fault, turns } = await play(strategy, 3)
    if (fault !== null) return t.fail(fault)
    t.ok(turns.every(({ reply }) => reply.text.length > 10), 'every turn says what it does')
    await checkBug(t, files, params)
  })
}

t.test('a bug over two files: each plays its part', async t => {
  const wanted = { ...params, minFiles: 2 }
  const { files, fault } = await play('removal', 5, wanted)
  if (fault !== null) return t.fail(fault)
  await checkBug(t, files, wanted)
})

t.test('history takes back what a release changed', async t => {
  const { turns, fault } = await play('history', 8)
  t.equal(fault, null)
  t.match(turns.at(-1)!.reply.text, /undo .* of (change|what changed since) [0-9a-f]{10}/)
})

t.test('the same seed plays the same turns, another one does not', async t => {
  const calls = ({ turns }: Played): string => JSON.stringify(turns.map(({ reply }) => reply)).replaceAll(/scratch[^"' ]*/g, '')
  const [one, same, other] = [await play('removal', 1), await play('removal', 1), await play('removal', 2)]
  t.strictSame(same.files, one.files)
  t.equal(calls(same), calls(one))
  t.not(calls(other), calls(one))
})

t.test('more than the tests can give: it gives up with the reason', async t => {
  const { submitted, fault, turns } = await play('removal', 1, { minPassing: 500 })
  t.equal(submitted, null)
  t.match(fault, /only \d+ tests pass; 500 are asked for/)
  t.equal(turns.at(-1)!.reply.ends, true)
})
