// Goal: whatever an operator offers is a small change that parses and says truly where it is. Method: every mutant of
// crafted sources, and a random share of those of published packages, is applied and parsed; Python's own compiler judges
// Python where it is there.

import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { prepareLanguage } from '../../../src/workers/mutate/grammars.ts'
import { removalOperators } from '../../../src/workers/mutate/removals.ts'
import { indexSource } from '../../../src/workers/mutate/source-index.ts'
import { applyEdit, languageOf, parses, sourceBytesMax } from '../../../src/workers/mutate/source.ts'
import { lineAt, lineStartsOf } from '../../../src/workers/mutate/syntax.ts'
import type { Mutant, SourceIndex } from '../../../src/workers/mutate/types.ts'
import { crafted, published } from './samples.ts'

await prepareLanguage('python')
await prepareLanguage('go')

const indexOf = (path: string, text: string): SourceIndex => {
  const index = indexSource(path, text)
  if (!index) throw new Error(`${path} does not parse`)
  return index
}
const operatorsOf = (path: string, text: string): string[] => indexOf(path, text).removals.map(({ operator }) => operator)
const resultsOf = (path: string, text: string, operator: string): string[] => {
  const { removals, direct } = indexOf(path, text)
  return [...removals, ...direct].filter(mutant => mutant.operator === operator).map(({ edit }) => applyEdit(text, edit))
}

function faultOf (path: string, text: string, { operator, edit, line, endLine }: Mutant): string | null {
  const lineStarts = lineStartsOf(text)
  const changed = applyEdit(text, edit)
  const say = (what: string): string => `${operator} at line ${line} ${what}: ${JSON.stringify(text.slice(edit.start, edit.end))} to ${JSON.stringify(edit.text)}`
  if (changed === text) return say('changes nothing')
  if (!parses(path, changed)) return say('does not parse')
  if (line !== lineAt(lineStarts, edit.start) || endLine !== lineAt(lineStarts, Math.max(edit.start, edit.end - 1))) return say('is on other lines')
  return null
}

for (const { name, path, text } of crafted) {
  t.test(`every mutant of ${name} applies, differs, parses, and spans its lines`, async t => {
    const { removals, direct, units } = indexOf(path, text)
    t.ok(removals.length > 5 && direct.length > 5 && units.length > 0)
    t.same([...removals, ...direct].map(mutant => faultOf(path, text, mutant)).filter(fault => fault !== null), [])
    const ranks = removals.map(({ operator }) => (removalOperators as readonly string[]).indexOf(operator))
    t.same(ranks, [...ranks].sort((a, b) => a - b), 'removals go from small to large')
    for (const unit of units) t.ok(text.slice(unit.start, unit.end).includes(unit.name), unit.name)
  })
}

t.test('mutants of published packages are sound', t => {
  for (const { path, text } of published) {
    const { removals, direct } = indexOf(path, text)
    fc.assert(fc.property(fc.constantFrom(...removals, ...direct), mutant => {
      const fault = faultOf(path, text, mutant)
      if (fault) throw new Error(fault)
    }), { numRuns: 150, seed: 1 })
  }
  t.end()
})

t.test('Python itself takes every mutant', t => {
  if (spawnSync('python3', ['--version']).status !== 0) {
    if (process.env['CI']) t.fail('python3 is missing')
    else t.pass('python3 is missing', { skip: 'python3 is missing' })
    t.end()
    return
  }
  for (const { path, text } of crafted.filter(sample => sample.path.endsWith('.py'))) {
    const { removals, direct } = indexOf(path, text)
    const texts = [...removals, ...direct].map(({ edit }) => applyEdit(text, edit))
    const judge = 'import ast, json, sys\nfor i, text in enumerate(json.load(sys.stdin)):\n  try: compile(text, "m", "exec", dont_inherit=True)\n  except SyntaxError as e: print(i, e)'
    const { stdout, stderr } = spawnSync('python3', ['-W', 'ignore', '-c', judge], { input: JSON.stringify(texts), encoding: 'utf8' })
    t.equal(stdout + stderr, '')
  }
  t.end()
})

t.test('what others need at load time, and what no test can see, stays', t => {
  const operators = operatorsOf('a.js', "'use strict'\nimport fs from 'fs'\nexport const a = 1\nfunction f () { console.log(a); 'docs' }\n")
  t.notOk(operators.includes('remove call'))
  t.same(operatorsOf('a.ts', 'interface A { b (): string }\ntype C = A | null\ndeclare const d: C\n'), [])
  t.notOk(operatorsOf('a.py', 'def f():\n    """Doc."""\n    x = 1\n    return x\n').includes('remove assignment'), 'a first assignment is a declaration')
  t.end()
})

t.test('Python keeps its blocks filled and its docstrings', t => {
  t.same(resultsOf('a.py', 'def f(a):\n    """Doc."""\n    return a\n', 'empty helper').concat(resultsOf('a.py', 'def f(a):\n    """Doc."""\n    return a\n', 'empty body')), ['def f(a):\n    """Doc."""\n    pass\n'])
  t.same(resultsOf('a.py', 'def f(a):\n    for b in a:\n        g(b)\n', 'remove call'), ['def f(a):\n    for b in a:\n        pass\n'])
  t.end()
})

t.test('Go keeps what its compiler asks for', t => {
  const text = 'package a\n\nimport "fmt"\n\nfunc F(n int) (int, error) {\n\tm := n\n\tfmt.Println(m)\n\tif n > 1 {\n\t\treturn n, nil\n\t}\n\treturn 0, nil\n}\n'
  const operators = operatorsOf('a.go', text)
  t.notOk(operators.includes('remove call'), 'the import would be unused')
  t.notOk(operators.includes('empty body'), 'the import would be unused')
  t.same(resultsOf('a.go', text, 'remove guard'), [text.replace('\tif n > 1 {\n\t\treturn n, nil\n\t}\n', '')])
  t.same(resultsOf('a.go', 'package a\n\nfunc F(n int) (*int, []T, T) {\n\treturn &n, x(), y()\n}\n', 'empty body'), ['package a\n\nfunc F(n int) (*int, []T, T) {\n\treturn nil, nil, *new(T)\n}\n'])
  t.end()
})

t.test('no mutant is the same program again', t => {
  t.same(indexOf('a.js', 'const b = x === x; const c = [2 * 3 === a]').direct.filter(({ operator }) => operator === 'swap operands'), [])
  t.same(indexOf('a.js', 'f(a, a)').direct, [])
  t.end()
})

t.test('what cannot be read gives null', t => {
  t.equal(indexSource('a.js', 'function ('), null)
  t.equal(indexSource('a.py', 'def f(:\n'), null)
  t.equal(indexSource('a.go', 'package a\nfunc ('), null)
  t.equal(indexSource('a.rb', 'x'), null)
  t.equal(indexSource('a.js', `'${'x'.repeat(sourceBytesMax)}'`), null)
  t.equal(indexSource('a.js', `'${'😀'.repeat(sourceBytesMax / 3)}'`), null)
  t.equal(languageOf('types.d.ts'), null)
  t.end()
})
