// Goal: a process that plays a run is watched as a node is: its metrics while it plays, its spans as one trace, its log with ids.
// Method: the command on a small repository, scraped as Prometheus does, with a real receiver of OTLP.

import { join } from 'node:path'
import t from 'tap'
import { makeRepository } from '../chaos/arena.ts'
import { scraped, type Scraped } from '../helpers/metrics.ts'
import { startReceiver, type ReceivedSpan } from '../helpers/otlp-receiver.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('metrics, health, traces and the log of spar play', { timeout: 300_000 }, async t => {
  const cwd = testFolder(t)
  const repository = join(cwd, 'small')
  makeRepository(repository)
  const receiver = await startReceiver(t)
  const scrapes: Scraped[] = []
  const answers: Record<string, any>[] = []
  let isOver = false
  let scraping: Promise<void> | null = null
  const scrape = async (url: string): Promise<void> => {
    for (; !isOver; await new Promise(resolve => setTimeout(resolve, 50))) {
      const of = async (path: string): Promise<string> => await fetch(url + path).then(response => response.text(), () => '')
      const [metrics, ready, status] = [await of('/metrics'), await of('/readyz'), await of('/status')]
      if (metrics !== '') scrapes.push(scraped(metrics))
      if (status !== '' && ready !== '') answers.push({ ...JSON.parse(ready), ...JSON.parse(status) })
    }
  }
  const args = ['play', repository, '--out', 'watched', '--sandbox', 'process', '--episodes', '1', '--group', '2', '--seed', '4', '--max-order', '1', '--min-passing', '3', '--min-scored', '2', '--strategy', 'removal=1', '--jobs', '2', '--json']
  const ran = await spar([...args, '--http', '127.0.0.1:0', '--otlp', receiver.url, '--log-level', 'info'], { home: join(cwd, 'home'), cwd, onErr: text => {
    const url = /Metrics: (\S+)\/metrics/.exec(text)?.[1]
    if (url !== undefined) scraping = scrape(url)
  } })
  isOver = true
  await scraping
  t.equal(ran.code, 0, ran.err)

  t.test('it is scraped while it plays', async t => {
    const seen = (name: string, labels: Record<string, string>): number[] => scrapes.map(scrape => scrape.value(name, labels)).filter(value => value !== undefined)
    const most = (name: string, labels: Record<string, string> = {}): number => Math.max(0, ...seen(name, labels))
    t.ok(answers.some(({ ready, state, run }) => ready === true && state === 'playing' && run === 'watched'))
    t.equal(most('spar_node_ready'), 1)
    t.equal(most('spar_slots', { kind: 'work' }), 2)
    t.ok(most('spar_slots_busy', { kind: 'work' }) > 0)
    t.ok(most('spar_ledger_total', { run: 'watched', state: 'dispatched' }) > 0)
    t.ok(most('spar_ledger_total', { run: 'watched', state: 'settled' }) <= ran.json.ledger.settled)
    t.ok(most('spar_sandboxes_opened_total') > 0)
    t.ok(most('spar_rollouts_total', { role: 'breaker', outcome: 'submitted' }) > 0)
    t.ok(most('spar_work_delivered_total', { kind: 'rollout', outcome: 'settled' }) > 0)
    t.ok(most('spar_verify_checks_total', { check: 'files', verdict: 'pass' }) > 0)
    t.ok(most('spar_workers_threads') > 0)
    t.ok(most('process_resident_memory_bytes') > 0)
  })

  t.test('run, episode, rollout and tool call are one trace', async t => {
    const { spans } = receiver
    const byId = new Map(spans.map(span => [span.spanId, span]))
    const above = (span: ReceivedSpan): string[] => [span.name, ...byId.has(span.parentSpanId) ? above(byId.get(span.parentSpanId)!) : []]
    t.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1)
    const tools = spans.filter(({ name }) => name === 'execute_tool bash')
    t.ok(tools.length > 0)
    for (const tool of tools) t.match(above(tool), ['execute_tool bash', /^invoke_agent (breaker|solver)$/, 'spar.episode', 'spar.run'])
    for (const [name, count] of [['spar.run', 1], ['spar.episode', 1], ['spar.verify', 1]] as const) t.equal(spans.filter(span => span.name === name).length, count, name)
    t.match(spans[0]!.resource, { 'service.name': 'spar', 'service.instance.id': 'local' })
  })

  t.test('the log takes the place of the view, and the summary stays on standard output', async t => {
    const lines = ran.err.split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Record<string, unknown>)
    t.match(lines.filter(({ rollout }) => rollout === 'e0001.break'), [{ level: 'info', type: 'delivered', node: 'local', run: 'watched', episode: 'e0001', outcome: 'settled' }])
    t.match(lines.at(-1), { type: 'delivered', kind: 'run', outcome: 'settled' })
    t.notMatch(ran.err, /Playing 1 episodes/)
    t.match(ran.json, { run: 'watched', episodes: 1 })
  })
})
