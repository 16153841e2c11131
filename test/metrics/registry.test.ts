// Goal: the registry counts right, and its series stay within their limits, whatever comes. Method: the real registry, read as
// Prometheus reads it.

import { readFileSync } from 'node:fs'
import t from 'tap'
import { definitions, metricsLimits } from '../../src/metrics/definitions.ts'
import { createMetrics } from '../../src/metrics/registry.ts'
import { scraped } from '../helpers/metrics.ts'

t.test('names and help of all metrics are there before anything is counted', async t => {
  const { types } = scraped(await createMetrics().expose())
  t.same(Object.fromEntries(types), Object.fromEntries(Object.entries(definitions).map(([name, { type }]) => [name, type])))
  for (const [name, { help, type }] of Object.entries(definitions)) {
    t.match(name, /^spar_[a-z_]+$/)
    t.equal(/_total$/.test(name), type === 'counter', `${name}: a counter, and nothing else, ends with _total`)
    t.match(help, /^[A-Z0-9].*\.$/)
  }
})

t.test('the document has every metric with its type, labels and words', async t => {
  const rows = readFileSync('docs/metrics.md', 'utf8').split('\n').filter(line => line.startsWith('| `spar_'))
  t.same(rows, Object.entries(definitions).map(([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`))
})

t.test('counters add up, histograms sort, gauges and foreign counters are read when they are asked for', async t => {
  const metrics = createMetrics()
  metrics.add('spar_work_delivered_total', { kind: 'grade', outcome: 'settled' })
  metrics.add('spar_work_delivered_total', { kind: 'grade', outcome: 'settled' }, 2)
  const frames = metrics.counter('spar_bridge_frames_total', { side: 'client', direction: 'out' })
  frames.value += 7
  metrics.observe('spar_work_seconds', { kind: 'grade' }, 0.3)
  let busy = 1
  metrics.read('spar_slots_busy', () => [{ labels: { kind: 'run' }, value: busy }])
  const stop = metrics.read('spar_workers_tasks_total', async () => [{ labels: { task: 'diff', outcome: 'ok' }, value: 5 }])
  metrics.read('spar_queue_waiting', async () => { throw new Error('the bus is away') })
  busy = 3
  const first = scraped(await metrics.expose())
  t.equal(first.value('spar_work_delivered_total', { kind: 'grade', outcome: 'settled' }), 3)
  t.equal(first.value('spar_bridge_frames_total', { side: 'client', direction: 'out' }), 7)
  t.equal(first.value('spar_work_seconds_bucket', { kind: 'grade', le: '0.2' }), 0)
  t.equal(first.value('spar_work_seconds_bucket', { kind: 'grade', le: '1' }), 1)
  t.equal(first.value('spar_slots_busy', { kind: 'run' }), 3)
  t.equal(first.value('spar_workers_tasks_total', { task: 'diff', outcome: 'ok' }), 5)
  t.equal(first.count('spar_queue_waiting'), 0, 'a source that fails says nothing, and holds nobody up')
  stop()
  const second = scraped(await metrics.expose())
  t.equal(second.count('spar_workers_tasks_total'), 0)
  t.equal(second.value('spar_work_delivered_total', { kind: 'grade', outcome: 'settled' }), 3, 'reading does not count')
})

t.test('above seriesMax what is new is counted as other, and said', async t => {
  const metrics = createMetrics()
  for (let index = 0; index < metricsLimits.seriesMax + 50; index++) metrics.add('spar_faults_total', { code: `CODE_${index}` })
  metrics.add('spar_faults_total', { code: 'CODE_1' })
  const seen = scraped(await metrics.expose())
  t.equal(seen.count('spar_faults_total'), metricsLimits.seriesMax + 1)
  t.equal(seen.value('spar_faults_total', { code: 'other' }), 50)
  t.equal(seen.value('spar_faults_total', { code: 'CODE_1' }), 2)
  t.equal(seen.value('spar_metrics_folded_total', { metric: 'spar_faults_total' }), 50)

  metrics.read('spar_arenas_held', () => Array.from({ length: 1000 }, () => ({ labels: {}, value: 1 })))
  metrics.read('spar_slots', () => Array.from({ length: 1000 }, (_, index) => ({ labels: { kind: `${index}` }, value: 1 })))
  t.equal(scraped(await metrics.expose()).count('spar_slots'), metricsLimits.seriesMax, 'so are sources')

  const histograms = createMetrics({ limits: { seriesMax: 3 } })
  for (let index = 0; index < 10; index++) histograms.observe('spar_work_seconds', { kind: `${index}` }, 1)
  const observed = scraped(await histograms.expose())
  t.equal(observed.count('spar_work_seconds_count'), 4)
  t.equal(observed.value('spar_work_seconds_count', { kind: 'other' }), 7)
})

t.test('runsMax runs have series of their own; one that was removed makes room', async t => {
  const metrics = createMetrics()
  const { runsMax } = metricsLimits
  for (let run = 0; run < runsMax + 5; run++) {
    for (const state of ['dispatched', 'settled', 'cancelled', 'quarantined']) metrics.add('spar_ledger_total', { run: `run-${run}`, state })
  }
  const before = scraped(await metrics.expose())
  t.equal(before.count('spar_ledger_total'), 4 * (runsMax + 1))
  t.equal(before.value('spar_ledger_total', { run: 'other', state: 'settled' }), 5, 'the state is kept')
  metrics.forgetRun('run-0')
  metrics.add('spar_ledger_total', { run: 'late', state: 'settled' })
  const after = scraped(await metrics.expose())
  t.equal(after.value('spar_ledger_total', { run: 'late', state: 'settled' }), 1)
  t.equal(after.value('spar_ledger_total', { run: 'run-0', state: 'settled' }), undefined)
})

t.test('a value of a label that is too long is cut, and one with quotes and line feeds stays one value', async t => {
  const metrics = createMetrics()
  metrics.add('spar_policy_errors_total', { role: 'solver', policy: `a"b\\c\n${'x'.repeat(1000)}`, code: 'E' })
  const text = await metrics.expose()
  const [line] = text.split('\n').filter(line => line.startsWith('spar_policy_errors_total'))
  t.match(line, /^spar_policy_errors_total\{role="solver",policy="a\\"b\\\\c\\nx+",code="E"\} 1$/)
  t.ok(line!.length < metricsLimits.labelCharsMax + 100)
})
