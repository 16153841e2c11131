// Goal: the line that only failing tests run, and the unit that lost its body, come first.

import t from 'tap'
import { rankFiles } from '../../../../src/policy/procedural/solver/localise.ts'
import { addFailingCounts, addPassingCounts, emptySpectrum, ochiai, readTestSpectrum } from '../../../../src/policy/procedural/solver/spectrum.ts'

const counts = (lines: Record<number, number>): Map<string, Map<number, number>> =>
  new Map([['lib/a.js', new Map(Object.entries(lines).map(([line, count]) => [Number(line), count]))]])
const nothing = { frames: [], missing: new Set<string>(), mentioned: new Set<string>() }
const limits = { suspectFilesMax: 3, suspectLinesMax: 100 }

t.test('lines that run more often with the oracle patch than without were run by failing tests', async t => {
  const spectrum = emptySpectrum()
  addFailingCounts(spectrum, counts({ 1: 1, 2: 5, 4: 3 }), counts({ 1: 1, 2: 8, 3: 1, 4: 3 }))
  t.equal(ochiai(spectrum, 'lib/a.js', 1), 0)
  t.equal(ochiai(spectrum, 'lib/a.js', 3), 1)
  t.ok(ochiai(spectrum, 'lib/a.js', 2) < 1 && ochiai(spectrum, 'lib/a.js', 2) > 0)
  const before = ochiai(spectrum, 'lib/a.js', 2)
  addPassingCounts(spectrum, counts({ 2: 1 }))
  t.ok(ochiai(spectrum, 'lib/a.js', 2) < before, 'a passing file that runs the line takes suspicion off it')
  const [suspect] = rankFiles([{ path: 'lib/a.js', text: 'a\nb\nc\nd\ne\n', units: [] }], { spectrum, ...nothing }, limits)
  t.equal(suspect?.suspicion[3], 1)
  t.ok((suspect?.suspicion[2] ?? 0) < 1)
})

t.test('Python counts failing and passing tests of every process', async t => {
  const spectrum = readTestSpectrum('{"failing":1,"passing":3,"files":{"a.py":[[1,1,3],[2,1,0]]}}\n{"failing":1,"passing":0,"files":{"a.py":[[2,1,0]]}}\n{"cut')
  t.equal(ochiai(spectrum, 'a.py', 2), 1)
  t.equal(ochiai(spectrum, 'a.py', 1), 1 / Math.sqrt(2 * 4))
})

t.test('an empty body and a parameter that nobody reads are suspicious', async t => {
  const text = 'function full (a) {\n  return a\n}\nfunction empty (a) {\n}\nfunction half (a, b) {\n  return a\n}\n'
  const unit = (name: string, line: number, endLine: number, params: string[]): never => {
    const start = text.indexOf(`function ${name}`)
    const bodyStart = text.indexOf('{', start) + 1
    return { kind: 'function', name, params, line, endLine, start, end: text.indexOf('}', start) + 1, bodyStart, bodyEnd: text.indexOf('}', start) } as never
  }
  const spectrum = emptySpectrum()
  addFailingCounts(spectrum, new Map(), counts({ 1: 1, 2: 1, 4: 1, 6: 1, 7: 1 }))
  const units = [unit('full', 1, 3, ['a']), unit('empty', 4, 5, ['a']), unit('half', 6, 8, ['a', 'b'])]
  const [suspect] = rankFiles([{ path: 'lib/a.js', text, units }], { spectrum, ...nothing }, limits)
  t.ok(suspect!.suspicion[4]! > suspect!.suspicion[7]! && suspect!.suspicion[7]! > suspect!.suspicion[2]!)
})
