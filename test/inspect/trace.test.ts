// The parts of the timeline that need no browser: lanes, lives and what lasts, what a line is about, what is shown, addresses.

import fc from 'fast-check'
import t from 'tap'
import type { TraceView } from '../../src/inspect/protocol.ts'
import { links, readRoute } from '../../src/inspect/page/route.ts'
import { choose, firstLook, holding, linesAbout, nearest, plainLook, shownLines, within, zoomed } from '../../src/inspect/page/trace/look.ts'
import { buildModel, idsOf, kindOf, kinds, lineAt } from '../../src/inspect/page/trace/model.ts'
import { sinceStart } from '../../src/inspect/page/words.ts'

type Row = [ms: number, who: string, what: string, detail?: string]

function traceOf (rows: readonly Row[]): TraceView {
  const words = (all: string[]): { words: string[]; places: number[] } => {
    const words = [...new Set(all)]
    return { words, places: all.map(word => words.indexOf(word)) }
  }
  const [who, what, detail] = [words(rows.map(row => row[1])), words(rows.map(row => row[2])), words(rows.map(row => row[3] ?? ''))]
  return {
    file: 't.jsonl', leftOut: 0, who: who.words, what: what.words, details: detail.words,
    lines: { afterMs: rows.map(([ms], index) => ms - (rows[index - 1]?.[0] ?? 0)), who: who.places, what: what.places, detail: detail.places }
  }
}

const rows: Row[] = [
  [0, 'n1-1', 'started'], [1, 'n10-1', 'started', 'slow'], [2, 'n2-1', 'started'], [5, 'n1-1', 'nodes.put', 'n1-1'],
  [10, 'n1-1', 'queue.pull', 'run.e0001.break#1'], [20, 'world', 'partition', 'n1 out'], [25, 'world', 'outage', 'n1 n2 n10 out in'],
  [30, 'n1-1', 'paused'], [40, 'n1-1', 'crashed'], [45, 'world', 'mended', 'partition n1 n1-1'], [50, 'n1-2', 'started'],
  [60, 'n2-1', 'queue.pull', 'run.e0001.break#2'], [70, 'n2-1', 'records.create+', 'run.work.e0001.break.ended'], [80, 'n2-1', 'delivered', 'run.e0001.break#2 settled '],
  [85, 'n2-1', 'draining'], [90, 'n2-1', 'ended', '{"kind":"left"}'], [95, 'world', 'faults are over'], [100, 'checker', 'fencing', 'run.e0001 was written twice']
]
const model = buildModel(traceOf(rows))

t.test('machines have lanes in the order of their names, with lives and what befell them', async t => {
  t.same(model.lanes.map(({ name }) => name), ['checkers', 'world', 'n1', 'n2', 'n10'])
  t.same(model.lives.map(({ who, fromMs, toMs, ending }) => [who, fromMs, toMs, ending]), [['n1-1', 0, 40, 'crashed'], ['n10-1', 1, 100, 'open'], ['n2-1', 2, 90, 'left'], ['n1-2', 50, 100, 'open']])
  t.same(model.spans.map(({ lane, kind, fromMs, toMs, text }) => [model.lanes[lane]!.name, kind, fromMs, toMs, text]), [
    ['world', 'world', 20, 45, 'partition n1'], ['n1', 'cut', 20, 40, 'partition: n1 out'],
    ['world', 'world', 25, 95, 'outage'], ['n1', 'cut', 25, 40, 'outage: n1 n2 n10 out in'], ['n2', 'cut', 25, 90, 'outage: n1 n2 n10 out in'], ['n10', 'cut', 25, 95, 'outage: n1 n2 n10 out in'],
    ['n1', 'paused', 30, 40, 'stopped'], ['n2', 'draining', 85, 90, 'draining']
  ])
  t.same(model.holds.map(({ id, fromMs, toMs, ending }) => [id, fromMs, toMs, ending]), [['e0001.break', 10, 40, 'lost'], ['e0001.break', 60, 80, 'delivered']])
  t.match(model, { violations: [17], calmMs: 95, endMs: 100 })
})

t.test('a cut of a process that is gone is not one of the next', async t => {
  const { spans } = buildModel(traceOf([[0, 'n1-1', 'started'], [1, 'world', 'outage', 'n1 out'], [2, 'n1-1', 'crashed'], [3, 'n1-2', 'started'], [4, 'world', 'partition', 'n1 in'], [5, 'world', 'mended', 'outage n1 n1-1'], [9, 'world', 'mended', 'partition n1 n1-2']]))
  t.same(spans.map(({ kind, fromMs, toMs }) => [kind, fromMs, toMs]), [['world', 1, 5], ['cut', 1, 2], ['world', 4, 9], ['cut', 4, 9]])
})

t.test('a text is about the episodes and the work that it names', async t => {
  const texts: [string, string[]][] = [
    ['run.work.e0002.solve.1.3.ended', ['e0002.solve.1.3']], ['run.e0012#7', ['e0012']], ['run.settled.e0002', ['e0002']], ['run.work.e0001.failed.3', ['e0001']], ['run.e12345.grade.2.10#1 settled ', ['e12345.grade.2.10']],
    ['run.lead#1', ['lead']], ['run-2.lead#1', ['run-2.lead']], ['run-2.work.e0001.break.ended', ['run-2.e0001.break']], ['run-3.settled.e0002', ['run-3.e0002']], ['run-2.e0001.solve.1.0 and e0001.break', ['run-2.e0001.solve.1.0', 'e0001.break']], ['run.work.lead.failed.1', ['lead']], ['e0001.break and e0002.break, e0001.break', ['e0001.break', 'e0002.break']], ['abe0001', []], ['steps.run.n1-1', []], ['a leader that is', []]
  ]
  for (const [text, ids] of texts) t.same(idsOf(text), ids, text)
  t.same(['nodes.put', 'queue.working+', 'nodes.put!', 'records.create', 'episodes.update!', 'records.get', 'queue.ack', 'crashed', 'something'].map(kindOf), ['routine', 'routine', 'odd', 'write', 'odd', 'read', 'work', 'life', 'work'])
})

t.test('routine is hidden at first, and every word of a search has to fit', async t => {
  const shown = (look: Partial<typeof plainLook>): number[] => [...shownLines(model, { ...plainLook, ...look })]
  t.equal(shown({}).length, rows.length - 1)
  t.equal(shown({ hidden: [] }).length, rows.length)
  t.same(shown({ search: 'BREAK n2' }), [11, 12, 13])
  t.same(shown({ who: 'n1', what: 'started' }), [0, 10])
  t.same(shown({ who: 'n1-2' }), [10])
  t.same(shown({ hidden: kinds }), [])
  t.same([...linesAbout(model, shownLines(model, plainLook), 'e0001')], [4, 11, 12, 13, 17])
  t.same([...linesAbout(model, shownLines(model, plainLook), 'e0001.break')], [4, 11, 12, 13])
  t.equal(nearest(model, shownLines(model, plainLook), 68, 5, line => model.lane[line] === 3), 12)
  t.equal(nearest(model, shownLines(model, plainLook), 55, 4, () => true), null)
})

t.test('whoever comes without an address sees the first broken rule and what it is about', async t => {
  t.match(firstLook(model, plainLook), { line: 17, about: 'e0001', window: null })
  t.same(firstLook(model, { ...plainLook, search: 'x' }), { ...plainLook, search: 'x' })
  const sound = buildModel(traceOf(rows.slice(0, -1)))
  t.same(firstLook(sound, plainLook), plainLook)
  const long = buildModel(traceOf([...rows, [1_000_000, 'n1-2', 'queue.pull', 'run.e0009#1']]))
  t.match(choose(long, plainLook, 17), { window: { fromMs: 0 } }, 'and the time of it')
})

t.test('what is in sight stays within the trace', async t => {
  const long = { endMs: 10_000 }
  fc.assert(fc.property(fc.integer({ min: -20_000, max: 20_000 }), fc.integer({ min: 0, max: 30_000 }), fc.double({ min: 0.01, max: 100, noNaN: true }), (from, width, factor) => {
    const window = within(long, { fromMs: from, toMs: from + width })
    for (const each of [window, zoomed(long, window, factor), holding(long, window, 5_000)]) t.ok(each === null || (each.fromMs >= 0 && each.toMs <= 10_000 && each.toMs - each.fromMs >= 3.99))
  }), { numRuns: 200 })
  fc.assert(fc.property(fc.nat(120), at => { t.equal(lineAt(model, at), rows.findIndex(([ms]) => ms >= at) === -1 ? rows.length : rows.findIndex(([ms]) => ms >= at)) }))
})

t.test('an address holds all that is looked at', async t => {
  const text = fc.string({ minLength: 1 })
  fc.assert(fc.property(fc.record({
    window: fc.option(fc.tuple(fc.nat(10 ** 9), fc.integer({ min: 1, max: 10 ** 6 })).map(([fromMs, width]) => ({ fromMs, toMs: fromMs + width }))), line: fc.option(fc.nat()),
    about: text, only: fc.boolean(), search: text, who: text, what: text, hidden: fc.subarray([...kinds])
  }), look => { t.same(readRoute(links.trace(look)), { view: 'trace', look }) }))
  t.equal(links.trace(plainLook), '#/trace')
  t.same(readRoute('#/trace?from=9&to=3&line=-1&hide=nothing'), { view: 'trace', look: { ...plainLook, hidden: [] } })
  t.same([7_250, 727_250, 3_727_250].map(ms => sinceStart(ms)), ['0:07.250', '12:07.250', '1:02:07.250'])
})
