// Goal: what a policy wrote reaches whoever looks as data, cut to its limit, and never as markup, script or orders to a terminal.
// Method: a run folder whose transcript, patch, names and reasons are hostile, shown in every way there is.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import vm from 'node:vm'
import t from 'tap'
import { machineViews } from '../../actors/definitions.ts'
import { systemClock } from '../../src/clock.ts'
import { neutral, neutralJson } from '../../src/cli/terminal.ts'
import { inspectLimits } from '../../src/inspect/limits.ts'
import type { Hello, RolloutView } from '../../src/inspect/protocol.ts'
import { folderReaders } from '../../src/inspect/records/folder.ts'
import { jsonText, writeReport } from '../../src/inspect/report.ts'
import { createSource, readValue } from '../../src/inspect/source.ts'
import { cutFile, cutJson, cutText } from '../../src/inspect/text.ts'
import { topLines } from '../../src/inspect/top-view.ts'
import { decodeRecord, encodeRecord } from '../../src/rollout/record.ts'
import { trajectoryPath } from '../../src/store/episodes.ts'
import { makeRun } from '../helpers/run-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const hello: Hello = { type: 'hello', protocol: 1, spar: '0', source: 'folder', mayAct: false, now: 1, everyMs: 100 }
const hostile = '</script><script>globalThis.owned = 1</script><img src=x onerror=alert(1)><!-- \u2028 \x1b]0;owned\x07\x1b[2J\u202e & $& $` ${x}'
const file = (text: string) => ({ type: 'text/html', bytes: Buffer.from(text) })
const page = new Map([
  ['/index.html', file('<!doctype html><html><head>\n<link rel="stylesheet" href="app.css">\n</head><body><script type="module" src="app.js"></script></body></html>')],
  ['/app.css', file('body::before { content: "</style>" }')], ['/app.js', file('globalThis.page = "</script><script>" + "$& of the page"')]
])

t.test('texts are cut at whole characters, and large or odd values before they are written', async t => {
  t.same(cutText('größe', 4), { text: 'gr\u00f6', bytes: 7, cut: true })
  t.same(cutText('größe', 3), { text: 'gr', bytes: 7, cut: true })
  t.same(cutFile(Buffer.from('añb'), 2), { text: 'a', bytes: 4, cut: true })
  t.same(cutFile(Buffer.from('ab'), 2), { text: 'ab', bytes: 2, cut: false })
  const loop: Record<string, unknown> = { f () {}, big: 1n, bytes: new Uint8Array(5), map: new Map(), error: new Error('no'), ['__proto__x']: 1 }
  loop['self'] = loop
  const { text } = cutJson(loop, 10_000)
  t.match(JSON.parse(text), { f: '[function]', big: '1', bytes: '[5 bytes]', map: '[Map]', error: { message: 'no' } })
  const before = performance.now()
  const large = cutJson({ line: 'x'.repeat(50 * 2 ** 20), list: Array.from({ length: 1_000_000 }, () => 'y') }, 1_000)
  t.same([large.cut, large.text.length], [true, 1_000])
  t.ok(performance.now() - before < 1_000, 'soon')
})

t.test('a run whose every text is hostile', async t => {
  const { store } = await makeRun(testFolder(t))
  const rollout = 'e0001.break'
  const path = join(store.dir, trajectoryPath(rollout))
  const record = decodeRecord(readFileSync(path))
  const line = hostile + 'A'.repeat(50 * 2 ** 20)
  writeFileSync(path, encodeRecord({ ...record, messages: [
    { role: 'assistant', content: hostile, tool_call: { tool: 'bash', command: hostile } }, { role: 'tool', content: line, tool_call: null },
    { role: 'assistant', content: hostile, tool_call: { tool: 'create', path: hostile, content: line } }
  ] }))
  const source = createSource({ kind: 'folder', nodes: null, readers: folderReaders([store.dir]), machines: machineViews, clock: systemClock, runs: null, around: async () => ({ queues: [], policies: [] }) })
  t.teardown(() => source.close())

  await t.test('its transcript is its own text, cut', async t => {
    const view = await readValue(source, `rollout/${store.run}/${rollout}/0`, 20_000) as RolloutView
    t.equal(view.turns[0]!.said.text, hostile)
    t.match(view.turns[0]!.observation, { bytes: Buffer.byteLength(line), cut: true })
    t.ok(Buffer.byteLength(view.turns[0]!.observation!.text) <= inspectLimits.textBytesMax)
    t.ok(Buffer.byteLength(JSON.stringify(view)) < 4 * inspectLimits.textBytesMax)
    t.equal(view.turns[1]!.call!.path, hostile)
  })

  await t.test('its report has one script, and the data in it is what it was', async t => {
    const { html, leftOut, topics } = await writeReport({ source, hello, page, machines: machineViews() })
    t.equal(leftOut, 0)
    t.ok(topics > 12)
    const scripts = [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/gi)]
    t.equal(scripts.length, 2, 'the data and the page')
    t.notMatch(html, /onerror=alert\(1\)>/, 'nothing of it begins a tag')
    t.notMatch(html.replace(scripts[1]![0], ''), /\u2028|owned = 1</)
    const data = JSON.parse(scripts[0]![1]!) as { values: Record<string, RolloutView> }
    t.equal(data.values[`rollout/${store.run}/${rollout}/0`]!.turns[0]!.said.text, hostile)
    const seen = vm.createContext({})
    vm.runInContext(scripts[1]![1]!, seen)
    t.same({ ...seen }, { page: '</script><script>$& of the page' }, 'the page\'s script is what it was, and the only one that ran')
    t.match(html, /script-src 'sha256-[^']+'; style-src 'sha256-/)
    t.equal([...html.matchAll(/<\/style/gi)].length, 1)
  })

  await t.test('a report has a limit, and says what is not in it', async t => {
    const { html, leftOut } = await writeReport({ source, hello, page, machines: machineViews(), limits: { reportBytesMax: 60_000 } })
    t.ok(html.length < 80_000)
    t.ok(leftOut > 0)
    t.match(html, new RegExp(`"leftOut":${leftOut}}`))
    await t.rejects(writeReport({ source, hello, page: new Map(), machines: [] }), { code: 'INSPECT_NO_PAGE' })
  })
})

t.test('a terminal obeys nothing of it', async t => {
  const ledger = { dispatched: 1, settled: 1, cancelled: 0, quarantined: 0, open: 0 }
  const cluster = {
    at: 1e12, queues: [], ledger, throughput: { windowMs: 300_000, episodes: 0, rollouts: 0, works: 0 }, policies: [{ model: hostile, version: hostile, at: null }], faults: [{ code: 'X', count: 1, reason: `${hostile}\r\n${hostile}`, work: hostile, at: null }],
    nodes: [{ node: hostile, host: '', pid: 1, version: '', state: hostile, labels: {}, slots: [], arenas: [], refusals: [], delivered: {}, actors: 1, startedAt: 0, seenAt: 0 }],
    runs: [{ run: hostile, state: 'running', reason: '', targets: [hostile.repeat(1_000)], episodes: { settled: 0, total: null }, ledger, policies: { breaker: '', solver: '' }, group: 1, seed: 1, startedAt: null, wait: null, acts: [] }], runsLeftOut: 0
  }
  const lines = topLines(cluster, [], [{ node: hostile, code: 'BRIDGE_UNAVAILABLE', message: `${hostile}\r\n` }], { columns: 120, rows: 30, neutral })
  t.ok(lines.some(line => line.startsWith('silent: ')))
  t.ok(lines.length <= 30 && lines.every(line => line.length <= 120))
  t.notMatch(lines.join(''), /[\u0000-\u001f\u007f-\u009f\u202e]/)
  t.notMatch(neutralJson(cluster), /[\u0000-\u001f\u007f-\u009f\u202e]/)
  t.same(JSON.parse(jsonText(JSON.stringify(cluster))), cluster)
})
