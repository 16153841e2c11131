// Goal: every limit is reached, and a log of any size is read in memory that does not grow with it. Method: logs made
// piece by piece; the heap is looked at after a collection.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { SaxesParser } from 'saxes'
import t from 'tap'
import { createLogReader, logRunners, type LogRunner } from '../../../src/workers/testlog/index.ts'
import { read, readInPieces } from './support.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const held = (): number => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}
const codes = (problems: { code: string }[]): string[] => [...new Set(problems.map(({ code }) => code))].sort()

t.test('200 MB of log, in pieces, give the right tests in little memory', async t => {
  const noise = Buffer.from(`${'x'.repeat(99)}\n`.repeat(10_000))
  const cases: [LogRunner, string, string][] = [
    ['tap', 'TAP version 14\nok 1 - first\n', 'not ok 2 - last\n1..2\n'],
    ['go', '{"Time":"t","Action":"pass","Package":"p","Test":"first"}\n', '{"Time":"t","Action":"fail","Package":"p","Test":"last"}\n{"Time":"t","Action":"fail","Package":"p"}\n'],
    ['junit', '<testsuite name="s"><testcase name="first"/><testcase name="last"><failure/><system-out>', '</system-out></testcase></testsuite>']
  ]
  for (const [runner, head, tail] of cases) {
    const reader = createLogReader({ runner })
    reader.write(Buffer.from(head))
    const before = held()
    let most = 0
    for (let piece = 0; piece < 200; piece++) {
      reader.write(noise)
      if (piece % 50 === 49) most = Math.max(most, held() - before)
    }
    reader.write(Buffer.from(tail))
    const { tests, problems } = reader.end()
    t.same([...tests.values()], ['passed', 'failed'], runner)
    t.same(problems, [], runner)
    t.ok(most < 20, `${runner}: ${most.toFixed(1)} MB more are held`)
  }
})

t.test('a line of 50 MB is cut, wherever it stands, and what comes behind is read', async t => {
  const piece = Buffer.alloc(1_000_000, 'y')
  for (const [runner, head, tail] of [['tap', 'ok 1 - first\n# ', '\nok 2 - last\n1..2\n'], ['pytest', 'a.py::first PASSED [ 50%]\n', '\na.py::last PASSED [100%]\n=== 2 passed in 1.00s ===\n']] as const) {
    const reader = createLogReader({ runner })
    reader.write(Buffer.from(head))
    const before = held()
    for (let count = 0; count < 50; count++) reader.write(piece)
    t.ok(held() - before < 10, runner)
    reader.write(Buffer.from(tail))
    const { tests, problems } = reader.end()
    t.same([...tests.values()], ['passed', 'passed'], runner)
    t.same(codes(problems), ['LINE_TOO_LONG'], runner)
  }
  const whole = Buffer.concat([Buffer.from('ok 1 - first\n'), Buffer.alloc(50_000_000, 'z'), Buffer.from('\nok 2 - last\n1..2\n')])
  t.equal(read(whole, { runner: 'tap' }).tests.size, 2)
  t.same(codes(read(`ok 1 - ${'n'.repeat(5000)}\nok 2 - short\n1..2\n`, { runner: 'tap' }).problems), ['ID_TOO_LONG'])
})

t.test('limits have names, and reaching them is said', async t => {
  const tap = Array.from({ length: 50 }, (_, index) => `ok ${index + 1} - test ${index}\n`).join('') + '1..50\n'
  const few = read(tap, { runner: 'tap', limits: { testsMax: 10 } })
  t.equal(few.tests.size, 10)
  t.same(codes(few.problems), ['TOO_MANY_TESTS'])
  t.same(codes(read(tap, { runner: 'tap', limits: { idCharsTotalMax: 100 } }).problems), ['TOO_MANY_TESTS'])
  t.equal(read(tap.replaceAll('ok', 'ok 9'), { runner: 'tap', limits: { problemsMax: 3 } }).problems.length, 3)
  const deep = Array.from({ length: 70 }, (_, depth) => `${'    '.repeat(depth)}# Subtest: x\n`).join('')
  t.ok(codes(read(deep, { runner: 'tap' }).problems).includes('TOO_DEEP'))
  t.ok(codes(read('<testsuite>'.repeat(70), { runner: 'junit' }).problems).includes('BAD_XML'))
  const suites = read(Array.from({ length: 20 }, (_, index) => `FAIL\tp${index} [build failed]\n`).join(''), { runner: 'go', limits: { suitesMax: 5 } })
  t.equal(suites.suites.length, 5)
  t.same(codes(read(Buffer.from('ok 1 - a\xffb\n1..1\n', 'latin1'), { runner: 'tap' }).problems), ['INVALID_UTF8'])
})

t.test('NULs are bytes like others', async t => {
  const { tests } = read('\0\0\0\nok 1 - a\0b\n\0ok 2 - no\nok 2 - c\n1..2\n', { runner: 'tap' })
  t.same([...tests], [['a\\u0000b', 'passed'], ['c', 'passed']])
})

t.test('what cannot be read is refused by name', async t => {
  t.throws(() => read('', { runner: 'ava' as LogRunner }), { code: 'TESTLOG_UNKNOWN_RUNNER' })
  t.throws(() => read('', { runner: 'tap', nonce: 'a b' }), { code: 'TESTLOG_BAD_NONCE' })
  for (const runner of logRunners) t.same(codes(read('', { runner }).problems), ['NO_TESTS'], runner)
})

t.test('XML: what would grow is refused, what is cut is said, and tags are those of a whole parser', async t => {
  const bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>'
  t.match(read(bomb, { runner: 'junit' }), { problems: [{ code: 'BAD_XML' }, {}] })
  const long = read(`<testsuite><testcase name="x"><failure message="${'m'.repeat(3_000_000)}"/></testcase><testcase name='y > "&#x41;&amp;&lt;"'/></testsuite>`, { runner: 'junit' })
  t.same([...long.tests], [['x', 'failed'], ['y > "A&<"', 'passed']])
  const cut = read('<testsuite><testcase name="x"/><testcase name="y"><fail', { runner: 'junit' })
  t.same([[...cut.tests], codes(cut.problems)], [[['x', 'passed']], ['TRUNCATED']])
  t.ok(codes(read('<testsuite><testcase name="x"></testsuite>', { runner: 'junit' }).problems).includes('BAD_XML'))
  const name = fc.string({ maxLength: 12 }).map(text => text.replace(/[&<>"'\p{C}]/gu, c => `&#${c.codePointAt(0)! < 32 ? 33 : c.codePointAt(0)};`))
  const inside = fc.constantFrom('', '<failure/>', '<skipped/>', 'text', '<!-- <testcase> -->', '<![CDATA[</testcase>]]>', '<system-out>a ]]&gt; b</system-out>', '<?pi <x> ?>')
  fc.assert(fc.property(fc.array(fc.tuple(name, inside), { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (tests, sizes) => {
    const text = `<?xml version="1.0"?><testsuites><testsuite name="s">${tests.map(([name, inside]) => `<testcase classname="c" name="${name}">${inside}</testcase>`).join('\n')}</testsuite></testsuites>`
    const names: string[] = []
    const parser = new SaxesParser()
    parser.on('opentag', tag => { if (tag.name === 'testcase') names.push(tag.attributes['name'] as string) })
    parser.write(text).close()
    const ids = [...readInPieces(Buffer.from(text), { runner: 'junit' }, sizes).tests.keys()]
    const wanted = [...new Set(names.map(name => name.trim() === 'c' || name.trim().endsWith(' c') ? name.trim() : ['c', name.trim()].filter(part => part !== '').join('::')))]
    if (JSON.stringify(ids) !== JSON.stringify(wanted)) throw new Error(JSON.stringify([ids, wanted, text]))
  }), { numRuns: 300, seed: 1 })
})
