// Goal: what a reader says does not hang on how the log comes, and nothing is made up when it is cut or coloured. Method:
// properties over the recorded logs, with fixed seeds.
//
// What a cut may change: a test that has its worst result later (a tear-down behind a pass, a second test of the same
// name) shows the earlier one. The reading says then that it is not whole.

import fc from 'fast-check'
import t from 'tap'
import { readTestLog, type LogReading } from '../../../src/workers/testlog/index.ts'
import { plain, readInPieces, recorded } from './support.ts'

const all = recorded()
const severity = ['skipped', 'passed', 'failed', 'error']
const any = fc.nat(all.length - 1)
const text = all.flatMap(({ options }, index) => options.runner === 'junit' ? [] : [index])

t.test('pieces of any size give the same reading', async t => {
  fc.assert(fc.property(any, fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 6 }), (index, sizes) => {
    const { name, log, options } = all[index]!
    const whole = JSON.stringify(plain(readTestLog(log, options)))
    const pieces = JSON.stringify(plain(readInPieces(log, options, sizes)))
    if (whole !== pieces) throw new Error(`${name}\n${whole}\n${pieces}`)
  }), { numRuns: 300, seed: 1 })
  for (const { name, log, options } of all) t.same(plain(readInPieces(log.subarray(0, 6000), options, [1])), plain(readTestLog(log.subarray(0, 6000), options)), name)
})

t.test('a log that is cut names no test that the whole log does not, and nothing worse', async t => {
  const wholes = new Map(all.map(({ name, log, options }) => [name, readTestLog(log, { ...options, exitCode: 1 })]))
  const check = (name: string, cut: LogReading, at: number): void => {
    const whole = wholes.get(name)!
    for (const [id, status] of cut.tests) {
      const known = whole.tests.get(id)
      if (known === undefined) throw new Error(`${name}, cut at ${at}, invents ${JSON.stringify(id)}`)
      if (severity.indexOf(status) > severity.indexOf(known)) throw new Error(`${name}, cut at ${at}, makes ${JSON.stringify(id)} ${status}, it is ${known}`)
    }
  }
  fc.assert(fc.property(any, fc.nat(), (index, from) => {
    const { name, log, options } = all[index]!
    const at = from % log.length
    check(name, readTestLog(log.subarray(0, at), options), at)
  }), { numRuns: 3000, seed: 2 })
})

t.test('colours change nothing, wherever they stand', async t => {
  const escapes = ['\x1b[31m', '\x1b[0m', '\x1b[1;38;5;12m', '\x1b(B', '\x1b]0;title\x07', '\x1b[K', '\x1b]8;;https://x\x1b\\']
  fc.assert(fc.property(fc.constantFrom(...text), fc.array(fc.tuple(fc.nat(), fc.constantFrom(...escapes)), { minLength: 1, maxLength: 40 }), (index, places) => {
    const { name, log, options } = all[index]!
    const text = log.toString('utf8')
    const at = places.map(([place, escape]) => [place % text.length, escape] as const).sort(([a], [b]) => a - b).filter(([place]) => !insideEscape(text, place))
    let coloured = ''
    let from = 0
    for (const [place, escape] of at) {
      coloured += text.slice(from, place) + escape
      from = place
    }
    const seen = JSON.stringify(plain(readTestLog(Buffer.from(coloured + text.slice(from)), options)))
    const wanted = JSON.stringify(plain(readTestLog(log, options)))
    if (seen !== wanted) throw new Error(`${name}\n${wanted}\n${seen}\n${JSON.stringify(at)}`)
  }), { numRuns: 500, seed: 3 })
})

/** Between a surrogate pair, within a sequence that is there already, or within the end of a line. */
function insideEscape (text: string, place: number): boolean {
  const last = text.lastIndexOf('\x1b', place - 1)
  // eslint-disable-next-line no-control-regex
  const sequence = last === -1 ? null : /^\x1b(?:\[[0-9;?]*[A-Za-z]|\(B)/.exec(text.slice(last, last + 20))
  return (sequence !== null && place < last + sequence[0].length) || (text.charCodeAt(place) & 0xfc00) === 0xdc00
}

t.test('line ends of Windows change nothing', async t => {
  for (const { name, log, options } of all) {
    if (options.runner === 'junit') continue
    t.same(plain(readTestLog(Buffer.from(log.toString('latin1').replaceAll('\n', '\r\n'), 'latin1'), options)), plain(readTestLog(log, options)), name)
  }
})

t.test('bytes that are no log at all give a reading', async t => {
  fc.assert(fc.property(any, fc.array(fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 30 })), { maxLength: 20 }), (index, edits) => {
    const { log, options } = all[index]!
    const bytes = Buffer.from(log)
    for (const [at, noise] of edits) bytes.set(noise.subarray(0, Math.max(0, bytes.length - at % bytes.length)), at % bytes.length)
    readTestLog(bytes, options)
  }), { numRuns: 500, seed: 4 })
})
