// How fast logs are read, in MB/s of log: TAP beside tap-parser, JUnit XML beside bare saxes, both in the same run over the
// same bytes, and pytest's text. The logs are made here, in the proportions of real ones: most tests pass, some fail with
// a block or a traceback, some print. With --check exits 1 below a mark.

import { Parser } from 'tap-parser'
import { SaxesParser } from 'saxes'
import { createRandom } from '../src/random.ts'
import { readTestLog, type LogRunner } from '../src/workers/testlog/index.ts'

const megabytes = 20
const random = createRandom(1)
const words = ['parses', 'keeps', 'an empty', 'header', 'with', 'two', 'values', 'when', 'the stream', 'ends', 'early', 'and', 'rejects', 'quoted', 'paths']
/** Every twentieth name is not plain ASCII. */
const phrase = (): string => (random.next() < 0.05 ? 'ünicode ' : '') + Array.from({ length: 3 + Math.floor(random.next() * 5) }, () => random.pick(words)).join(' ')

function make (piece: (index: number) => string, head: string, tail: (count: number) => string): Buffer {
  const pieces = [head]
  let bytes = 0
  let index = 0
  for (; bytes < megabytes * 1e6; index++) {
    const text = piece(index)
    pieces.push(text)
    bytes += text.length
  }
  return Buffer.from(pieces.join('') + tail(index))
}

const failing = (index: number): boolean => index % 20 === 19
const stack = (): string => Array.from({ length: 12 }, (_, at) => `    at Object.${random.pick(['run', 'next', 'call'])} (/src/lib/${random.pick(['parse', 'stream'])}.js:${at * 7}:11)`).join('\n')

function tapLog (): Buffer {
  const test = (index: number): string => {
    const name = `${phrase()} ${index}`
    const assertions = Array.from({ length: 4 }, (_, at) => `    ok ${at + 1} - should be equal\n`).join('')
    const block = failing(index) ? `  ---\n  at:\n    fileName: test/a.js\n  stack: |\n${stack()}\n  ...\n` : ''
    return `# Subtest: ${name}\n${assertions}    1..4\n${failing(index) ? 'not ' : ''}ok ${index + 1} - ${name} # time=${index % 90}.${index % 10}ms\n${block}\n`
  }
  return make(test, 'TAP version 14\n', count => `1..${count}\n`)
}

function pytestLog (): Buffer {
  const ids: string[] = []
  const progress = make(index => {
    const id = `tests/unit/test_${random.pick(['parse', 'stream', 'http'])}.py::TestCase::test_${random.pick(words.filter(word => /^\w+$/.test(word)))}[${index}-${random.pick(['a', 'b c', 'd - e'])}]`
    ids.push(id)
    return `${id} ${failing(index) ? 'FAILED' : 'PASSED'}${' '.repeat(20)}[ ${index % 100}%]\n`
  }, `============================= test session starts ==============================\ncollected 1 item\n\n`, () => '')
  const some = progress.subarray(0, progress.lastIndexOf('\n', progress.length / 4) + 1)
  const shown = ids.slice(0, some.toString().split('\n').filter(line => line.includes('::')).length)
  const failures = shown.filter((_, index) => failing(index)).map(id =>
    `${'_'.repeat(20)} ${id.split('::').slice(1).join('.')} ${'_'.repeat(20)}\n\n    def test_it(self):\n        value = ${JSON.stringify(phrase())}\n>       assert value == 2\nE       AssertionError: assert 1 == 2\n\ntests/unit/test_parse.py:12: AssertionError\n----- Captured stdout call -----\n${`${phrase()} ${phrase()}\n`.repeat(60)}`)
  const passed = shown.filter((_, index) => !failing(index))
  const failed = shown.filter((_, index) => failing(index))
  const summary = [...passed.map(id => `PASSED ${id}\n`), ...failed.map(id => `FAILED ${id} - AssertionError: assert 1 == 2\n`)].join('')
  return Buffer.concat([some, Buffer.from(`\n=================================== FAILURES ===================================\n${failures.join('')}=========================== short test summary info ============================\n${summary}======= ${failed.length} failed, ${passed.length} passed in 12.30s =======\n`)])
}

function junitLog (): Buffer {
  const test = (index: number): string => {
    const open = `<testcase classname="tests.unit.test_${index % 50}" name="test_${phrase().replaceAll(' ', '_')}[${index}]" time="0.00${index % 10}"`
    if (!failing(index)) return `${open} />`
    return `${open}><failure message="AssertionError: assert 1 == 2">${stack()}\nE  &lt;value&gt; &amp; more</failure><system-out>${`${phrase()}\n`.repeat(20)}</system-out></testcase>`
  }
  return make(test, '<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">', () => '</testsuite></testsuites>')
}

/** Best of some rounds, in MB/s. */
function speed (log: Buffer, work: () => void, rounds: number): number {
  let best = Infinity
  for (let round = 0; round < rounds; round++) {
    const started = process.hrtime.bigint()
    work()
    best = Math.min(best, Number(process.hrtime.bigint() - started) / 1e9)
  }
  return log.length / 1e6 / best
}

function readAll (log: Buffer, runner: LogRunner): void {
  const { tests, problems } = readTestLog(log, { runner, form: 'own', limits: { testsMax: 1e6 } })
  if (tests.size < 1000 || problems.some(({ code }) => code !== 'DUPLICATE_ID')) throw new Error(`${runner}: ${tests.size} tests, ${JSON.stringify(problems[0])}`)
}

function readWithTapParser (log: Buffer): void {
  const parser = new Parser()
  parser.end(log)
}

function readWithSaxes (log: Buffer): void {
  const parser = new SaxesParser()
  parser.on('opentag', () => {})
  for (let at = 0; at < log.length; at += 1 << 16) parser.write(log.toString('utf8', at, at + (1 << 16)))
  parser.close()
}

const tap = tapLog()
const pytest = pytestLog()
const junit = junitLog()
// The baseline takes minutes for the whole log.
const tapPart = tap.subarray(0, tap.lastIndexOf('\n# Subtest', 2e6) + 1)
const rows = [
  { what: `TAP, ${(tap.length / 1e6).toFixed(0)} MB`, ours: speed(tap, () => readAll(tap, 'tap'), 9), baseline: 'tap-parser', theirs: speed(tapPart, () => readWithTapParser(tapPart), 1), mark: 100 },
  { what: `pytest -v -rA, ${(pytest.length / 1e6).toFixed(0)} MB`, ours: speed(pytest, () => readAll(pytest, 'pytest'), 9), baseline: null, theirs: 0, mark: 80 },
  { what: `JUnit XML, ${(junit.length / 1e6).toFixed(0)} MB`, ours: speed(junit, () => readAll(junit, 'junit'), 9), baseline: 'saxes', theirs: speed(junit, () => readWithSaxes(junit), 9), mark: 33 }
]
for (const { what, ours, baseline, theirs, mark } of rows) {
  const against = baseline === null ? '' : `; ${baseline} ${theirs.toFixed(1)}, ratio ${(ours / theirs).toFixed(1)}`
  console.log(`testlog: ${what}: ${ours.toFixed(0)} MB/s${against}; mark: at least ${mark} MB/s`)
}
if (process.argv.includes('--check') && rows.some(({ ours, mark }) => ours < mark)) process.exitCode = 1
