// Goal: the same in Python, where Spar's own reader knows the runner's words, so that a parser is held against them. Method: a
// package and its unittest suite beside the fixture's files; what a patch says is looked at, and what a parser says is run.

import t from 'tap'
import { verifyBug } from '../../../actors/verifier.ts'
import { runners } from '../../../src/arena/runners/index.ts'
import { createBug } from '../../../src/artifact/index.ts'
import type { Arena, Bug, CheckName, Verdict } from '../../../src/domain.ts'
import { createNotes } from '../../../src/reverify/notes.ts'
import { followVerdict } from '../../../src/reverify/verdict.ts'
import { diffOf, text, type Files } from '../../artifact/git.ts'
import { changed, openLab, verdicts, type Lab } from '../../verify/fixture.ts'

const right = 'def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return a + a\n'
const wrong = right.replace('a + b', 'a - b')
const suite = 'import unittest\nfrom pkg.calc import add, double\n\n\nclass CalcTest(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n\n    def test_zero(self):\n        self.assertEqual(add(0, 0), 0)\n\n    def test_double(self):\n        self.assertEqual(double(2), 4)\n'
const files: Files = { 'pkg/__init__.py': text(''), 'pkg/calc.py': text(right), 'tests/__init__.py': text(''), 'tests/test_calc.py': text(suite) }
const weakened = { 'tests/test_calc.py': text(suite.replace(/    def test_add.*\n.*\n\n/, '')) }

const parserOf = (more = ''): string => `import json, re, sys\ntests = {}\nfor status, name in re.findall(r'^(PASSED|FAILED) (.*)$', sys.stdin.read(), re.M):\n    tests[name] = status.lower()\n${more}\nprint(json.dumps(tests))\n`

function bugOf (calc: string, parser = parserOf(), more: Files = {}): Bug {
  const buggy = changed(files, { 'pkg/calc.py': text(calc), ...more })
  const bytes = (content: string): Uint8Array => new Uint8Array(Buffer.from(content))
  return createBug({
    testScript: bytes(runners.unittest.script(['tests/test_calc.py'])), testFiles: bytes('tests/test_calc.py\n'), testParser: bytes(parser), parserName: 'test_parser.py',
    bugInject: new Uint8Array(diffOf(files, buggy).patch), testWeaken: new Uint8Array(diffOf(buggy, changed(buggy, weakened)).patch), predPatch: null
  })
}

async function verify (lab: Lab, bug: Bug): Promise<Verdict> {
  const arena: Arena = { ...lab.arena(files), id: 'f'.repeat(16), ecosystem: 'python', runner: 'unittest' }
  const about = { bug, arena, params: { minPassing: 3, minFiles: 1, minFailing: 1 }, mode: 'strict' } as const
  const verdict = await verifyBug({ ...about, run: 'test' }, lab.ports)
  const notes = createNotes()
  await followVerdict('verify', verdict, about, notes)
  t.strictSame(notes.differences, [], 'it follows from its own evidence')
  return verdict
}

const wrongIf = (condition: string, above = ''): string => `${above}def add(a, b):\n    return a - b if ${condition} else a + b\n\n\ndef double(a):\n    return a + a\n`
const kept = Buffer.from('def add(a, b):\n    return a + b').toString('base64')

const tricks: [what: string, failed: CheckName, says: RegExp, bug: Bug][] = [
  ['fails at random', 'determinism', /calc\.py:1 asks for chance \(import random\)/, bugOf(wrongIf('random.random() < 0.5', 'import random\n'))],
  ['fails at random, with a seed', 'determinism', /random/, bugOf(wrongIf('chance.random() < 0.5', 'from random import Random\nchance = Random(7)\n'))],
  ['fails by the salt of hashes', 'determinism', /hash\(\)/, bugOf(wrongIf("hash('a') % 2"))],
  ['fails after a date', 'determinism', /datetime\.now/, bugOf(wrongIf('datetime.now().year > 2020', 'from datetime import datetime\n'))],
  ['fails by the environment', 'determinism', /os\.environ/, bugOf(wrongIf("os.environ.get('HOME')", 'import os\n'))],
  ['fails by the order of a folder', 'determinism', /os\.listdir/, bugOf(wrongIf("os.listdir('.')[0]", 'import os\n'))],
  ['reads its own text', 'determinism', /inspect/, bugOf(wrongIf('len(inspect.getsource(double)) > 1', 'import inspect\n'))],
  ['reads another file', 'scope', /open\(\)/, bugOf(wrongIf("'double' in open('pkg/__init__.py').read()"))],
  ['looks for pytest', 'scope', /PYTEST_CURRENT_TEST/, bugOf(wrongIf("'PYTEST_CURRENT_TEST' != ''"))],
  ['looks for loaded modules', 'scope', /sys\.modules/, bugOf(wrongIf("'unittest' in sys.modules", 'import sys\n'))],
  ['looks at who calls it', 'scope', /_getframe/, bugOf(wrongIf("sys._getframe(1).f_code.co_name == 'test_add'", 'import sys\n'))],
  ['ends the process', 'scope', /os\._exit/, bugOf(wrongIf('os._exit(1)', 'import os\n'))],
  ['runs packed text', 'scope', /exec\(\)|b64decode|base64/, bugOf(`import base64\n${wrong}\nexec(base64.b64decode('eCA9IDE='))\n`)],
  ['keeps the original in base64', 'scope', /keeps a copy/, bugOf(`${wrong}\nOLD = '${kept}'\n`)],
  ['keeps the original in a docstring', 'scope', /keeps a copy/, bugOf(`def add(a, b):\n    """Adds.\n\n    def add(a, b):\n        return a + b\n    """\n    return a - b\n\n\ndef double(a):\n    return a + a\n`)],
  ['imports itself from a hook', 'scope', /sitecustomize\.py" \(infrastructure\)/, bugOf(wrong, parserOf(), { 'sitecustomize.py': text('import pkg\n') })],
  ['is a syntax error', 'bug', /calc\.py:\d+ does not parse/, bugOf(wrong.replace('return a - b', 'return a -'))],
  ['leaves failures out', 'parser', /leaves out.*test_add/, bugOf(wrong, parserOf("tests = {name: status for name, status in tests.items() if status == 'passed'}"))],
  ['invents a test', 'parser', /did not print.*test_more/, bugOf(wrong, parserOf("if tests: tests['tests/test_calc.py::CalcTest.test_more'] = 'passed'"))],
  ['says the opposite', 'parser', /opposite/, bugOf(wrong, parserOf("tests = {name: 'passed' for name in tests}"))],
  ['renames what fails', 'bug', /test_add have no result, and .*test_add_ had none on the original/, bugOf(wrong, parserOf("tests = {name + '_' * (status == 'failed'): status for name, status in tests.items()}"))]
]

t.test('each trick in Python is rejected by the check that names it', async t => {
  const lab = await openLab(t)
  const good = await verify(lab, bugOf(wrong))
  t.ok(good.valid, `what is spoiled is valid: ${verdicts(good)} ${JSON.stringify(good.checks.find(({ verdict }) => verdict === 'fail')?.reason)}`)
  for (const [what, failed, says, bug] of tricks) {
    const verdict = await verify(lab, bug)
    const reason = verdict.checks.find(({ name }) => name === verdict.failed)?.reason
    t.strictSame([verdict.decided, verdict.failed], [true, failed], `${what}: ${verdicts(verdict)}: ${reason}`)
    t.match(reason, says, what)
  }
  t.strictSame(lab.left(), [])
})
