// Goal: for an id that a runner prints, exactly the block of that test goes, and the file that is left still loads.

import t from 'tap'
import { addEmptied, blocksFor, deletions } from '../../../../src/policy/procedural/breaker/weaken.ts'
import { parseTests } from '../../../../src/policy/procedural/breaker/test-blocks.ts'
import { applyEdits } from '../../../../src/policy/procedural/breaker/patch.ts'
import { prepareLanguage } from '../../../../src/workers/mutate/grammars.ts'
import { languageOf, parses } from '../../../../src/workers/mutate/source.ts'

async function without (path: string, text: string, ids: string[], log = ''): Promise<string> {
  await prepareLanguage(languageOf(path))
  const tests = await parseTests(path, text)
  if (tests === null) throw new Error(`${path} does not parse`)
  const left = applyEdits(text, deletions(tests, new Set(ids.flatMap(id => blocksFor(tests, id, log)))))
  t.ok(parses(path, left), `what is left of ${path} parses`)
  return left
}

const script = `const test = require('tape')

// About one.
test('one', t => {
  t.end()
})

describe('two', () => {
  it('is "quoted"', async () => {
    await nothing()
  })
  it(\`counts to \${n}\`, () => {})
  it.each([1, 2])('adds %d', n => {})
})

test('a' + name, t => t.end())
for (const name of names) {
  test(name, t => t.end())
}
`

t.test('a suite of which every test goes, goes', async t => {
  const text = "describe('outer', () => {\n  describe('inner', () => {\n    it('a', () => {})\n    it('b', () => {})\n  })\n  it('c', () => {})\n})\n"
  await prepareLanguage('javascript')
  const tests = (await parseTests('a.test.js', text))!
  const left = (...ids: string[]): string => {
    const gone = new Set(ids.flatMap(id => blocksFor(tests, id, '')))
    addEmptied(tests.blocks, gone)
    return applyEdits(text, deletions(tests, gone))
  }
  t.match(left('outer > inner > a'), /inner/)
  t.notMatch(left('outer > inner > a', 'outer > inner > b'), /inner/)
  t.match(left('outer > inner > a', 'outer > inner > b'), /'c'/)
  t.equal(left('outer > inner > a', 'outer > inner > b', 'outer > c').trim(), '')
})

t.test('JavaScript: by path, by parts of a title, by line', async t => {
  const one = await without('a.test.js', script, ['one'])
  t.equal(one, script.replace(/\/\/ About one\.\n[^]*?\}\)\n\n/, ''))
  t.equal(await without('a.test.js', script, ['two > is "quoted"']), script.replace(/ {2}it\('is "quoted"'[^]*?\n {2}\}\)\n/, ''))
  t.equal(await without('a.test.js', script, ['two > counts to 7']), script.replace(/.*counts to.*\n/, ''))
  t.equal(await without('a.test.js', script, ['two > adds 2']), script.replace(/.*adds %d.*\n/, ''))
  t.notMatch(await without('a.test.js', script, ['abc']), "'a' + name")
  t.equal(await without('a.test.js', script, ['who knows'], 'at /tree/a.test.js:5:3'), one)
  t.notMatch(await without('a.test.js', script, ['who knows']), 'test(name')
})

const python = `import pytest


class TestBase:
    def test_shared(self):
        assert True


class TestOne(TestBase):
    """About one."""

    @pytest.mark.parametrize(
        'n', [1, 2]
    )
    def test_numbers(self, n):
        assert n


def test_alone():
    text = """
def test_not_me():
"""
    assert text
`

t.test('Python: with decorators, and a class that would be empty goes as a whole', async t => {
  const one = await without('test_a.py', python, ['TestOne::test_numbers[1]'])
  t.notMatch(one, 'TestOne')
  t.match(one, 'class TestBase:\n    def test_shared')
  t.notMatch(await without('test_a.py', python, ['test_alone']), 'test_not_me')
  t.match(await without('test_a.py', python, ['TestOne::test_shared']), 'class TestBase:\n    pass\n\n\nclass TestOne(TestBase):', 'a base class stays')
  t.notMatch(await without('test_a.py', python, ['TestOne.test_numbers']), 'TestOne')
})

t.test('Python: a test class that was imported to be a base goes with the last class made from it', async t => {
  const text = 'from test_b import TestBase\n\n\nclass TestMore(TestBase):\n    def test_own(self):\n        assert True\n\n\ndef test_alone():\n    assert True\n'
  t.equal((await without('test_c.py', text, ['TestMore::test_inherited'])).trim(), 'def test_alone():\n    assert True')
})

const go = `package code

import (
	"strings"
	"testing"
)

func TestOne(t *testing.T) {
	t.Run("a", func(t *testing.T) { t.Log(strings.ToUpper("x")) })
}

func TestTwo(t *testing.T) {
	t.Log("y")
}
`

t.test('Go: an import that nothing uses any more goes along', async t => {
  const left = await without('code_test.go', go, ['TestOne/a'])
  t.equal(left, go.replace('\t"strings"\n', '').replace(/func TestOne[^]*?\n\}\n\n/, ''))
})
