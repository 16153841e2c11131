// Goal: the log says who and what, hides what was not asked for, and nothing in it can do anything to a terminal or fill a disk
// with one line. Method: the real logger, written into a list.

import t from 'tap'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { createLog, logLimits, readLevel, type LogOptions } from '../../src/cli/log.ts'
import { createNodeLog, type NodeEvent } from '../../src/cli/node-log.ts'

// Whatever a terminal obeys, but for the line feeds between lines.
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

function logged (given: Partial<LogOptions> = {}): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = []
  return { lines, log: createLog({ level: 'trace', form: 'json', base: { node: 'n1' }, now: () => Date.UTC(2026, 0, 2, 3, 4, 5), write: line => lines.push(line), ...given }) }
}

const hostile = 'red \x1b[31m bell \x07 title \x1b]0;owned\x07 C1 \x9b31m DEL \x7f back \u202e over \r\n2026-01-01 forged line'

t.test('a line has its time, level, node and ids', async t => {
  const { lines, log } = logged()
  log('warn', 'it failed', { type: 'delivered', run: 'r', episode: 'e0001', rollout: 'e0001.break', more: { a: [1, null, true] } })
  t.same(JSON.parse(lines[0]!), { level: 'warn', at: '2026-01-02T03:04:05.000Z', node: 'n1', type: 'delivered', run: 'r', episode: 'e0001', rollout: 'e0001.break', more: { a: [1, null, true] }, msg: 'it failed' })
})

t.test('what is below the level is not written', async t => {
  const { lines, log } = logged({ level: 'warn' })
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) log(level, level, { type: 'x' })
  t.same(lines.map(line => (JSON.parse(line) as { level: string }).level), ['warn', 'error', 'fatal'])
  const silent = logged({ level: 'silent' })
  silent.log('fatal', 'x', { type: 'x' })
  t.same(silent.lines, [])
  t.equal(readLevel(undefined, {}), 'info')
  t.equal(readLevel(undefined, { SPAR_LOG_LEVEL: 'debug' }), 'debug')
  t.equal(readLevel('error', { SPAR_LOG_LEVEL: 'debug' }), 'error')
  t.throws(() => readLevel('loud', {}), { code: 'OPTION_INVALID', message: /--log-level "loud".*trace, debug/ })
  t.throws(() => readLevel(undefined, { SPAR_LOG_LEVEL: 'loud' }), { code: 'OPTION_INVALID', message: /SPAR_LOG_LEVEL "loud"/ })
})

t.test('what a terminal obeys is in no line, as JSON or for people', async t => {
  for (const form of ['json', 'pretty'] as const) {
    const { lines, log } = logged({ form })
    log('info', hostile, { type: 'x', run: hostile, [hostile]: { nested: [hostile] } })
    t.equal(lines.length, 1)
    t.notMatch(lines[0]!, obeyed, form)
    if (form === 'json') t.equal((JSON.parse(lines[0]!) as { msg: string }).msg, hostile, 'the value is the same')
    else for (const line of lines[0]!.split('\n').slice(1)) t.match(line, /^ {4}/, 'no line feed forges a line')
  }
})

t.test('colour is put on for people alone, where it is wanted', async t => {
  const plain = logged({ form: 'pretty' })
  const coloured = logged({ form: 'pretty', colour: true })
  for (const { log } of [plain, coloured]) log('error', 'it broke', { type: 'x', run: 'nightly' })
  t.same(plain.lines, ['03:04:05.000 error it broke run=nightly'])
  t.same(coloured.lines, ['03:04:05.000 \x1b[31merror\x1b[0m it broke run=nightly'])
})

t.test('texts, lists and depth are cut at their limits, and it is said how much', async t => {
  const { lines, log } = logged()
  const { textCharsMax, itemsMax } = logLimits
  let deep: unknown = 'bottom'
  for (let level = 0; level < 100; level++) deep = [deep]
  log('info', 'x'.repeat(50_000_000), { type: 'x', text: 'y'.repeat(textCharsMax + 5), list: Array.from({ length: itemsMax + 3 }, (_, index) => index), deep })
  t.ok(lines[0]!.length < 4 * textCharsMax)
  const line = JSON.parse(lines[0]!) as { msg: string; text: string; list: unknown[]; deep: unknown }
  t.match(line.msg, /^x{2048}… \(49997952 more characters\)$/)
  t.match(line.text, /y… \(5 more characters\)$/)
  t.same(line.list.slice(-2), [itemsMax - 1, '… (3 more)'])
  t.equal(JSON.stringify(line.deep), '[[["…"]]]', 'depthMax with the line itself')
})

t.test('a node says what it did, with the ids of run, episode and rollout, and how bad it is', async t => {
  const lines: string[] = []
  const log = createNodeLog({ out: line => lines.push(line), err: () => t.fail('with --json nothing goes to standard error') }, { json: true, level: 'info', node: 'n1' })
  const delivered = (about: object): NodeEvent => ({ type: 'delivered', kind: 'rollout', run: 'nightly', submittedAt: 1, work: 'e0002.solve.1.3', delivery: 2, outcome: 'settled', startedAt: 1, ms: 12, ...about })
  log({ type: 'ready', http: 'http://127.0.0.1:1' })
  log(delivered({}))
  log(delivered({ kind: 'grade', work: 'e0002.grade.1.3', outcome: 'failed', code: 'SANDBOX_LOST', reason: hostile }))
  log(delivered({ kind: 'run', work: 'lead', outcome: 'quarantined', code: 'X', reason: 'y' }))
  log({ type: 'joined' })
  t.match(lines.map(line => JSON.parse(line) as object), [
    { level: 'info', node: 'n1', type: 'ready', http: 'http://127.0.0.1:1', msg: 'node n1 takes work, http://127.0.0.1:1/status' },
    { level: 'info', node: 'n1', run: 'nightly', episode: 'e0002', rollout: 'e0002.solve.1.3', msg: 'nightly e0002.solve.1.3 settled (delivery 2) in 12 ms' },
    { level: 'warn', run: 'nightly', episode: 'e0002', rollout: undefined, code: 'SANDBOX_LOST', reason: hostile },
    { level: 'error', run: 'nightly', episode: undefined }
  ])
  t.equal(lines.length, 4, 'joined is told at debug')
  for (const line of lines) t.notMatch(line, obeyed)
})

t.test('a node refuses what it cannot watch with before it joins', async t => {
  const cwd = testFolder(t)
  for (const [args, said] of [[['--log-level', 'loud'], /--log-level "loud".*trace, debug/], [['--otlp', 'nowhere'], /--otlp "nowhere".*http:/], [['--otlp-share', '2'], /otlp-share/]] as const) {
    t.match(await spar(['node', ...args, '--nats', 'nats://127.0.0.1:9'], { home: cwd, cwd }), { code: 64, err: said })
  }
})
