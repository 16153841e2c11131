// Small repositories with a real bug each, for attempts that want to be graded as solved without repairing it. Every world has its own
// runner; scripts and parsers are Spar's own but for `custom`, which is what a breaker might write.

import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { verifyBug } from '../../../actors/verifier.ts'
import { runners } from '../../../src/arena/runners/index.ts'
import { createBug } from '../../../src/artifact/index.ts'
import type { Arena, Bug, RunnerName } from '../../../src/domain.ts'
import type { VerifyPorts } from '../../../src/verify/index.ts'
import { diffOf, text, writeFiles, type Content, type Files } from '../../artifact/git.ts'
import { changed, makeBug, original, valid } from '../../verify/fixture.ts'

export type WorldName = 'custom' | 'node:test' | 'unittest' | 'pytest'

interface Definition { runner: RunnerName; ecosystem: Arena['ecosystem']; files: Files; bug: Record<string, Content>; weaken: Record<string, Content>; repair: Record<string, Content>; tests: string[] }

const nodeFiles: Files = {
  'package.json': text('{"name":"sums"}\n'),
  'lib/sums.js': text('exports.add = (a, b) => a + b\nexports.sub = (a, b) => a - b\n'),
  'lib/words.js': text('exports.up = word => word.toUpperCase()\n'),
  'test/sums.test.js': text("const assert = require('node:assert')\nconst { test } = require('node:test')\nconst { add, sub } = require('../lib/sums.js')\n\ntest('adds', () => { assert.equal(add(1, 2), 3) })\n\n\n\n\ntest('adds much', () => assert.strictEqual(add(40, 2), 42))\n\n\n\n\ntest('subtracts', () => { assert.equal(sub(3, 1), 2) })\n"),
  'test/words.test.js': text("const assert = require('node:assert')\nconst { test } = require('node:test')\nconst { up } = require('../lib/words.js')\ntest('up', () => assert.equal(up('a'), 'A'))\n")
}
const nodeSums = "const assert = require('node:assert')\nconst { test } = require('node:test')\nconst { add, sub } = require('../lib/sums.js')\n\n\n\n\n\ntest('subtracts', () => { assert.equal(sub(3, 1), 2) })\n"

const pythonCode: Files = {
  'calc/__init__.py': text(''),
  'calc/sums.py': text('def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n'),
  'calc/words.py': text('def up(word):\n    return word.upper()\n')
}
const pythonBug = { 'calc/sums.py': text('def add(a, b):\n    return a - b\n\n\ndef sub(a, b):\n    return a - b\n') }

const pythonRepair = { 'calc/sums.py': text('def add(a, b):\n    return sum([a, b])\n\n\ndef sub(a, b):\n    return a - b\n') }

const unitHead = 'import unittest\nfrom calc.sums import add, sub\n\n\nclass Sums(unittest.TestCase):\n'
const unitSub = '    def test_sub(self):\n        self.assertEqual(sub(3, 1), 2)\n'
const words = 'import unittest\nfrom calc.words import up\n\n\nclass Words(unittest.TestCase):\n    def test_up(self):\n        self.assertEqual(up("a"), "A")\n'
const unitTests: Files = {
  'tests/__init__.py': text(''),
  'tests/test_sums.py': text(`${unitHead}    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n\n\n\n\n    def test_add_much(self):\n        self.assertEqual(add(40, 2), 42)\n\n\n\n\n${unitSub}`),
  'tests/test_words.py': text(words)
}

const sub = 'def test_sub():\n    assert sub(3, 1) == 2\n'
const pytestTests: Files = {
  'tests/test_sums.py': text(`import pytest\nfrom calc.sums import add, sub\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n\n\n@pytest.mark.parametrize("a, b, sum", [(40, 2, 42), (5, 5, 10)])\ndef test_add_much(a, b, sum):\n    assert add(a, b) == sum\n\n\n\n\n${sub}`),
  'tests/test_words.py': text(words)
}

const definitions: Record<Exclude<WorldName, 'custom'>, Definition> = {
  'node:test': {
    runner: 'node:test', ecosystem: 'node', files: nodeFiles, tests: ['test/sums.test.js', 'test/words.test.js'],
    bug: { 'lib/sums.js': text('exports.add = (a, b) => a - b\nexports.sub = (a, b) => a - b\n') }, weaken: { 'test/sums.test.js': text(nodeSums) },
    repair: { 'lib/sums.js': text('exports.add = (a, b) => a - -b\nexports.sub = (a, b) => a - b\n') }
  },
  unittest: {
    runner: 'unittest', ecosystem: 'python', files: { ...pythonCode, ...unitTests }, tests: ['tests/test_sums.py', 'tests/test_words.py'],
    bug: pythonBug, weaken: { 'tests/test_sums.py': text(unitHead + unitSub) }, repair: pythonRepair
  },
  pytest: {
    runner: 'pytest', ecosystem: 'python', files: { ...pythonCode, ...pytestTests }, tests: ['tests/test_sums.py', 'tests/test_words.py'],
    bug: pythonBug, weaken: { 'tests/test_sums.py': text(`from calc.sums import add, sub\n\n\n${sub}`) }, repair: pythonRepair
  }
}

export interface World { name: WorldName; arena: Arena; bug: Bug; expected: { f2p: string[]; p2p: string[] }; original: Files; /** What the solver saw. */ solverTree: Files; /** Changes that make the bug good, another way than it was. */ repair: Record<string, Content> }

/** `home` is a folder for arenas. The bug is verified for real. */
export async function openWorld (name: WorldName, home: string, ports: VerifyPorts): Promise<World> {
  const { files, bug, solverTree, repair, about } = name === 'custom' ? customWorld() : worldOf(definitions[name])
  const dir = join(home, `arena ${name.replace(':', ' ')}`)
  mkdirSync(join(dir, 'git'), { recursive: true })
  writeFiles(join(dir, 'tree'), files)
  commitHistory(join(dir, 'git'), files)
  const arena: Arena = {
    id: Buffer.from(name).toString('hex').padEnd(16, '0').slice(0, 16), target: name, name, commit: '0'.repeat(40), tree: '0'.repeat(40), image: null, imagePath: null, dir, testCommand: null, mounts: [], path: [], env: {}, testFiles: [], commits: 1,
    ...about, ...(name === 'pytest' ? pytestEnvironment()! : {})
  }
  const verdict = await verifyBug({ bug, arena, params: { minPassing: 3, minFiles: 1, minFailing: 1 }, mode: 'strict', run: 'test' }, ports)
  if (!verdict.valid) throw new Error(`${name}: ${JSON.stringify(verdict.checks.filter(({ verdict }) => verdict !== 'pass'))}`)
  return { name, arena, bug, expected: { f2p: verdict.f2p, p2p: verdict.p2p }, original: files, solverTree, repair }
}

interface Made { files: Files; bug: Bug; solverTree: Files; repair: Record<string, Content>; about: Pick<Arena, 'ecosystem' | 'runner'> }

function worldOf ({ runner: name, ecosystem, files, bug, weaken, repair, tests }: Definition): Made {
  const runner = runners[name as keyof typeof runners]
  const buggy = changed(files, bug)
  const solverTree = changed(buggy, weaken)
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
  return {
    files,
    solverTree,
    repair,
    about: { ecosystem, runner: name },
    bug: createBug({
      testScript: bytes(runner.script(tests)), testFiles: bytes(tests.join('\n')), testParser: bytes(runner.parser.source), parserName: runner.parser.name,
      bugInject: new Uint8Array(diffOf(files, buggy).patch), testWeaken: new Uint8Array(diffOf(buggy, solverTree).patch), predPatch: null
    })
  }
}

const customWorld = (): Made => ({ files: original, bug: makeBug(valid), solverTree: changed(original, { ...valid.bug, ...valid.weaken }), repair: { 'src/add.js': text('exports.add = function (a, b) {\n  return b + a\n}\nexports.sub = (a, b) => a - b\n') }, about: { ecosystem: 'node', runner: 'custom' } })

/** What a solver would like to find. */
function commitHistory (folder: string, files: Files): void {
  writeFiles(folder, files)
  const git = (...args: string[]): void => { execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=n@example.org', ...args], { cwd: folder, stdio: 'pipe' }) }
  git('init', '-q', '-b', 'main')
  git('add', '-A', '-f')
  git('commit', '-q', '-m', 'first')
}

/** An interpreter that has pytest: the trainer's, else the system's. Null where there is none. */
export function pytestEnvironment (): Pick<Arena, 'mounts' | 'path'> | null {
  for (const python of [process.env['SPAR_TEST_TRAINER_PYTHON'], 'python3']) {
    if (python === undefined) continue
    try {
      const [own, base] = execFileSync(python, ['-c', 'import pytest, sys; print(sys.prefix); print(sys.base_prefix)'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().split('\n') as [string, string]
      const outside = [own, base].filter(folder => !/^\/(?:usr|bin|lib)(?:\/|$)/.test(folder))
      return { mounts: [...new Set(outside)], path: [python.includes('/') ? dirname(python) : join(own, 'bin')] }
    } catch { /* has no pytest */ }
  }
  return null
}
