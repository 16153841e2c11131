// Repositories that are flaky in the ways that real ones are, each with a good bug beside the flaky test, and one whose bug
// itself is chance. Small ones, so that a verification takes less than a second: node programs and a parser in awk.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { verifyBug } from '../actors/verifier.ts'
import { createBug } from '../src/artifact/index.ts'
import type { Arena, Verdict } from '../src/domain.ts'
import { createLimiter } from '../src/limiter.ts'
import { createSandboxes } from '../src/sandbox/index.ts'
import { verifyPorts } from '../src/verify/ports.ts'

type Files = Record<string, string>

export interface FlakyRepository { name: string; tests: Files; buggy: string; script?: string }

const right = "const { randomInt } = require('node:crypto')\nexports.pick = randomInt\nexports.add = (a, b) => a + b\n"
const wrong = right.replace('a + b', 'a - b')
/** The original asks for chance too: the look at the patch finds nothing new. */
const chance = right.replace('=> a + b', '=> a + b + exports.pick(2)')

const harness = `const names = process.argv.slice(2)
exports.check = (name, run) => { try { run(); console.log('ok ' + name) } catch { console.log('not ok ' + name); process.exitCode = 1 } }
exports.same = (a, b) => { if (a !== b) throw new Error(a + ' is not ' + b) }
if (require.main === module) for (const name of names) require('../' + name)
`
const head = "const { check, same } = require('./run.js')\nconst { add } = require('../src/add.js')\n"
const adds = "check('adds', () => same(add(1, 2), 3))\n"
const others = "check('zero', () => same(1, 1))\ncheck('one', () => same(1, 1))\ncheck('two', () => same(1, 1))\n"
const coin = (p: number): string => `check('flaky', () => same(Math.random() < ${p}, false))\n`
const shuffled = "node test/run.js $(printf '%s\\n' test/a.test.js test/b.test.js | shuf)\n"
const atOnce = 'node test/run.js test/a.test.js & node test/run.js test/b.test.js; code=$?; wait; exit $code\n'

export const flakyRepositories: FlakyRepository[] = [
  { name: 'a bug of chance, p = 0.5', tests: { 'test/a.test.js': head + "check('flaky', () => same(add(1, 2), 3))\n" + others }, buggy: chance },
  { name: 'a coin in a test, p = 0.2', tests: { 'test/a.test.js': head + adds + others + coin(0.2) }, buggy: wrong },
  { name: 'a coin in a test, p = 0.5', tests: { 'test/a.test.js': head + adds + others + coin(0.5) }, buggy: wrong },
  { name: 'tests that hang on their order, shuffled', tests: { 'test/a.test.js': head + adds + others + 'globalThis.seen = true\n', 'test/b.test.js': "const { check, same } = require('./run.js')\ncheck('flaky', () => same(globalThis.seen, true))\n" }, buggy: wrong, script: shuffled },
  {
    name: 'two processes and one temporary file',
    tests: {
      'test/a.test.js': head + adds + others + "require('node:fs').writeFileSync('/tmp/shared', 'a')\n",
      'test/b.test.js': "const { check, same } = require('./run.js')\nconst fs = require('node:fs')\nfs.writeFileSync('/tmp/shared', 'b')\nconst until = Date.now() + 2\nwhile (Date.now() < until);\ncheck('flaky', () => same(fs.readFileSync('/tmp/shared', 'utf8'), 'b'))\n"
    },
    buggy: wrong,
    script: atOnce
  },
  {
    name: 'two processes and one port',
    tests: {
      'test/a.test.js': head + adds + others + "const server = require('node:net').createServer()\nserver.on('error', () => {})\nserver.listen(4173, () => setTimeout(() => server.close(), 4))\n",
      'test/b.test.js': "const server = require('node:net').createServer()\nserver.on('error', () => { console.log('not ok flaky'); process.exitCode = 1 })\nserver.listen(4173, () => { console.log('ok flaky'); server.close() })\n"
    },
    buggy: wrong,
    script: atOnce
  }
]

const parser = `#!/usr/bin/env bash
awk 'BEGIN { printf "{" } match($0, /^(not )?ok /) { name = substr($0, RLENGTH + 1); printf "%s\\"%s\\":\\"%s\\"", sep, name, /^ok/ ? "passed" : "failed"; sep = "," } END { print "}" }'
`

function put (dir: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
}

function diff (before: Files, after: Files): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), 'bench-flaky-diff-'))
  const git = (...args: string[]): Buffer => execFileSync('git', args, { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] })
  git('init', '-q', '.')
  put(dir, before)
  git('add', '-A')
  put(dir, after)
  const patch = new Uint8Array(git('diff', '--no-renames'))
  rmSync(dir, { recursive: true })
  return patch
}

export async function openFlaky ({ tests, buggy, script }: FlakyRepository): Promise<{ verify (repeats: number): Promise<Verdict>; close (): Promise<void> }> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'bench-flaky-')))
  const sandboxes = await createSandboxes({ kind: 'process', home })
  const dir = join(home, 'arena')
  const files: Files = { 'src/add.js': right, 'test/run.js': harness, ...tests }
  put(join(dir, 'tree'), files)
  mkdirSync(join(dir, 'git'), { recursive: true })
  const arena: Arena = {
    id: 'f'.repeat(16), target: 'flaky', name: 'flaky', commit: '0'.repeat(40), tree: '0'.repeat(40), image: null, imagePath: null, dir, ecosystem: 'node', runner: 'custom', testCommand: null, mounts: [], path: [], env: {}, testFiles: [], commits: 1
  }
  const [first] = Object.keys(tests) as [string]
  const text = readFileSync(join(dir, 'tree', first), 'utf8')
  const isFake = !text.includes(adds)
  const bytes = (content: string): Uint8Array => new Uint8Array(Buffer.from(content))
  const bug = createBug({
    testScript: bytes(script ?? `node test/run.js ${Object.keys(tests).join(' ')}\n`), testFiles: bytes(`${Object.keys(tests).join('\n')}\n`), testParser: bytes(parser), parserName: 'test_parser.sh',
    bugInject: diff({ 'src/add.js': right }, { 'src/add.js': buggy }), testWeaken: diff({ [first]: text }, { [first]: isFake ? text.replace(/check\('flaky'.*\n/, '') : text.replace(adds, '') }), predPatch: null
  })
  const cores = createLimiter(2)
  return {
    // Nothing is shared between verifications: each draws its own clean runs.
    verify: async repeats => await verifyBug({ bug, arena, params: { minPassing: 3, minFiles: 1, minFailing: 1 }, mode: 'strict', run: 'bench', repeats }, { ...verifyPorts(sandboxes), cores }),
    async close () {
      await sandboxes.close()
      rmSync(home, { recursive: true, force: true })
    }
  }
}
