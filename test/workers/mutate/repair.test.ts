// Goal: candidates for a repair are sound, reproducible, and reach what removals took out. Method: properties over random
// removals of crafted and published sources; a few repairs that must be found early.

import fc from 'fast-check'
import t from 'tap'
import { prepareLanguage } from '../../../src/workers/mutate/grammars.ts'
import { repairCandidates } from '../../../src/workers/mutate/repair.ts'
import { effectOf } from '../../../src/workers/mutate/repair/race.ts'
import { indexSource } from '../../../src/workers/mutate/source-index.ts'
import { applyEdit, parses } from '../../../src/workers/mutate/source.ts'
import type { Mutant, RepairRequest } from '../../../src/workers/mutate/types.ts'
import { crafted, published } from './samples.ts'

await prepareLanguage('python')
await prepareLanguage('go')

const request = (path: string, text: string, lines: number[], more: Partial<RepairRequest> = {}): RepairRequest => ({
  path, text, suspicion: Object.fromEntries(lines.map(line => [line, 1])), corpus: [], hints: [], seed: 1, limit: 200, ...more
})
const linesAround = (line: number): number[] => [-2, -1, 0, 1, 2].map(offset => line + offset)
const strip = (text: string): string => text.replace(/[\s;]+/g, '')
const restored = (text: string, candidates: Mutant[], wanted: string): boolean => candidates.some(({ edit }) => strip(applyEdit(text, edit)) === strip(wanted))

t.test('candidates parse, differ from the text and from each other, and touch lines under suspicion', t => {
  const samples = [...crafted, published[0]!]
  fc.assert(fc.property(fc.constantFrom(...samples), fc.nat(), fc.nat(), ({ path, text }, pick, seed) => {
    const { removals } = indexSource(path, text)!
    const removal = removals[pick % removals.length]!
    const buggy = applyEdit(text, removal.edit)
    const { candidates } = repairCandidates(request(path, buggy, linesAround(removal.line), { seed, limit: 40, corpus: [{ path: `other-${path.slice(path.lastIndexOf('/') + 1)}`, text }] }))
    const results = candidates.map(({ edit }) => applyEdit(buggy, edit))
    if (results.includes(buggy)) throw new Error('a candidate changes nothing')
    if (new Set(results).size !== results.length) throw new Error('two candidates give the same text')
    const broken = results.findIndex(result => !parses(path, result))
    if (broken !== -1) throw new Error(`does not parse: ${JSON.stringify(candidates[broken])}`)
  }), { numRuns: 25, seed: 1 })
  t.end()
})

t.test('the same seed gives the same candidates, another seed another order', t => {
  const { path, text } = crafted[0]!
  const ask = (seed: number): Mutant[] => repairCandidates(request(path, text, [10, 11, 12], { seed })).candidates
  t.same(ask(3), ask(3))
  t.notSame(ask(3), ask(4))
  t.end()
})

t.test('nothing is offered without suspicion, for text that does not parse, or for an unknown language', t => {
  t.same(repairCandidates(request('a.js', 'f(a)', [])), { candidates: [] })
  t.same(repairCandidates(request('a.js', 'f(a', [1])), { candidates: [] })
  t.same(repairCandidates(request('a.txt', 'f(a)', [1])), { candidates: [] })
  t.equal(repairCandidates(request('a.js', 'function f (a, b) { return a > b }', [1], { limit: 3 })).candidates.length, 3)
  t.end()
})

const cases: { name: string; path: string; wanted: string; buggy: string; line: number; corpus?: string }[] = [
  { name: 'a negation', path: 'a.js', wanted: 'function f (a) {\n  if (!a.ok) return 1\n  return 2\n}\n', buggy: 'function f (a) {\n  if (a.ok) return 1\n  return 2\n}\n', line: 2 },
  { name: 'an operator', path: 'a.go', wanted: 'package a\n\nfunc F(a, b int) bool {\n\treturn a <= b\n}\n', buggy: 'package a\n\nfunc F(a, b int) bool {\n\treturn a < b\n}\n', line: 4 },
  { name: 'a guard that the file has elsewhere', path: 'a.js', wanted: 'function f (a) {\n  if (!a) return null\n  return a.x\n}\nfunction g (b) {\n  if (!b) return null\n  return b.y\n}\n', buggy: 'function f (a) {\n  return a.x\n}\nfunction g (b) {\n  if (!b) return null\n  return b.y\n}\n', line: 2 },
  { name: 'an assignment by its neighbour', path: 'a.py', wanted: 'class A:\n    def __init__(self, a, b):\n        self.a = a\n        self.b = b\n', buggy: 'class A:\n    def __init__(self, a, b):\n        self.a = a\n', line: 3 },
  { name: 'an await', path: 'a.py', wanted: 'async def f(a):\n    b = await a.read()\n    return b\n', buggy: 'async def f(a):\n    b = a.read()\n    return b\n', line: 2 },
  { name: 'a conjunct', path: 'a.ts', wanted: 'function f (a: A, b: A) {\n  if (a && a.ok) return b\n  if (b && b.ok) return a\n}\n', buggy: 'function f (a: A, b: A) {\n  if (a && a.ok) return b\n  if (b) return a\n}\n', line: 3 },
  { name: 'a body from another file', path: 'a.js', wanted: 'function clamp (value, low) {\n  if (value < low) return low\n  return value\n}\n', buggy: 'function clamp (value, low) {\n}\n', line: 1, corpus: 'export function clampTo (x, least) {\n  if (x < least) return least\n  return x\n}\n' },
  { name: 'a body that was emptied in Python', path: 'a.py', wanted: 'def size(self):\n    return self._size\n', buggy: 'def size(self):\n    pass\n', line: 2, corpus: 'def length(self):\n    return self._size\n' }
]

for (const { name, path, wanted, buggy, line, corpus } of cases) {
  t.test(`it puts back ${name}`, t => {
    const { candidates } = repairCandidates(request(path, buggy, linesAround(line), { corpus: corpus === undefined ? [] : [{ path: `b${path}`, text: corpus }] }))
    t.ok(restored(buggy, candidates, wanted))
    t.end()
  })
}

t.test('an effect is the same key exactly when the resulting text is the same', t => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 })
  const edit = fc.tuple(fc.nat(), fc.nat(), text)
  const place = (whole: string, [start, length, inserted]: [number, number, string]) => {
    const from = start % (whole.length + 1)
    return { start: from, end: from + length % (whole.length - from + 1), text: inserted }
  }
  fc.assert(fc.property(text, edit, edit, (whole, first, second) => {
    const [one, two] = [place(whole, first), place(whole, second)]
    const same = applyEdit(whole, one) === applyEdit(whole, two)
    return same === (effectOf(whole, one) === effectOf(whole, two)) && (effectOf(whole, one) === null) === (applyEdit(whole, one) === whole)
  }), { numRuns: 3000, seed: 1 })
  t.end()
})
