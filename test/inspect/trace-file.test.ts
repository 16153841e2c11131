// Goal: a trace is read whole, within bounds, and whatever is wrong with its file is said by name and line.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readTrace } from '../../src/inspect/trace-file.ts'
import type { TraceLine } from '../../src/simulation/trace.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const text = (lines: readonly TraceLine[]): string => lines.map(line => JSON.stringify(line) + '\n').join('')
const lines: TraceLine[] = [
  { ms: 0, who: 'n1-1', what: 'started', detail: '' }, { ms: 5, who: 'n1-1', what: 'queue.pull', detail: 'run.e0001.break#1' }, { ms: 5, who: 'n2-1', what: 'queue.pull', detail: 'run.e0001.break#1' },
  { ms: 70, who: 'world', what: 'partition', detail: 'n1 ü' }, { ms: 90, who: 'checker', what: 'fencing', detail: 'x' }
]

t.test('columns and words stand for the lines of the file, whatever its chunks are', async t => {
  const path = join(testFolder(t), 'a.jsonl')
  const many = Array.from({ length: 60_000 }, (_, index) => ({ ...lines[index % 2]!, ms: index, detail: `run.ü${index}` }))
  writeFileSync(path, text(many))
  const { file, who, what, details, lines: { afterMs, ...columns }, leftOut } = await readTrace(path)
  t.match({ file, who, what, leftOut }, { file: 'a.jsonl', who: ['n1-1'], what: ['started', 'queue.pull'], leftOut: 0 })
  let ms = 0
  t.ok(many.every((line, index) => {
    ms += afterMs[index]!
    return ms === line.ms && who[columns.who[index]!] === line.who && what[columns.what[index]!] === line.what && details[columns.detail[index]!] === line.detail
  }))
})

t.test('where there are more lines than are shown, what befell the whole and what was broken is there', async t => {
  const path = join(testFolder(t), 'a.jsonl')
  writeFileSync(path, text(lines))
  const { lines: { what: words }, what, leftOut } = await readTrace(path, { traceLinesMax: 2 })
  t.same(words.map(word => what[word]), ['started', 'queue.pull', 'partition', 'fencing'])
  t.equal(leftOut, 1)
  t.same((await readTrace(path, { traceDetailCharsMax: 5 })).details, ['', 'run.e …', 'n1 ü', 'x'])
})

t.test('a last line that was not written to its end is left out', async t => {
  const path = join(testFolder(t), 'a.jsonl')
  writeFileSync(path, text(lines).slice(0, -9))
  const counts = async (): Promise<[lines: number, leftOut: number]> => readTrace(path).then(({ lines, leftOut }) => [lines.who.length, leftOut])
  t.same(await counts(), [4, 1])
  writeFileSync(path, text(lines).trimEnd())
  t.same(await counts(), [5, 0])
})

t.test('what is no trace is refused with its file and line', async t => {
  const path = join(testFolder(t), 'a.jsonl')
  const rows: [string, RegExp][] = [
    ['{"ms":\n', /line 6 is no JSON/], ['\n', /line 6 is no JSON/], ['7\n', /line 6 is no object/], ['null\n', /line 6 is no object/], ['{"ms":"90","who":"a","what":"b","detail":""}\n', /line 6 has no "ms"/],
    ['{"ms":90.5,"who":"a","what":"b","detail":""}\n', /line 6 has no "ms"/], ['{"ms":91,"who":7,"what":"b","detail":""}\n', /line 6 has no text as "who"/], ['{"ms":91,"who":"a","what":"b"}\n', /line 6 has no text as "detail"/],
    ['{"ms":3,"who":"a","what":"b","detail":""}\n', /line 6 is at 3 ms, the one before it at 90/]
  ]
  for (const [line, why] of rows) {
    writeFileSync(path, text(lines) + line)
    await t.rejects(readTrace(path), { code: 'TRACE_INVALID', message: why }, line)
    await t.rejects(readTrace(path), { message: path, data: { line: 6 } })
  }
  writeFileSync(path, text(lines))
  await t.rejects(readTrace(path, { traceBytesMax: 100 }), { code: 'TRACE_TOO_LARGE', message: /traceBytesMax is 100/ })
  await t.rejects(readTrace(path, { traceLineCharsMax: 60 }), { code: 'TRACE_INVALID', message: /line 2 has more than 60 characters/ })
  writeFileSync(path, 'x'.repeat(5_000_000))
  await t.rejects(readTrace(path, { traceLineCharsMax: 1_000 }), { code: 'TRACE_INVALID', message: /line 1 has more than 1000 characters/ })
  writeFileSync(path, '')
  await t.rejects(readTrace(path), { code: 'TRACE_INVALID', message: /no line in it/ })
  await t.rejects(readTrace(join(path, 'none')), { code: 'TRACE_UNREADABLE' })
  await t.rejects(readTrace('/'), { code: 'TRACE_UNREADABLE' })
})

t.test('as a user asks for it', async t => {
  const dir = testFolder(t)
  const at = { home: dir, cwd: dir }
  writeFileSync(join(dir, 'bad.jsonl'), 'no\nno\n')
  const bad = await spar(['inspect', '--trace', 'bad.jsonl', '--listen', '127.0.0.1:0'], at)
  t.equal(bad.code, 2)
  t.match(bad.err, /bad\.jsonl: line 1 is no JSON.*TRACE_INVALID/)
  t.match(await spar(['inspect', '--trace', 'bad.jsonl', '--run', 'x', '--listen', '127.0.0.1:0'], at), { code: 64, err: /--trace, --run or --nats/ })
})
