// Goal: what a dashboard shows, an alert asks and a trace links is what nodes really say. Method: two real nodes on a real server,
// one of which only owns while the other only works, play a small run with the procedural policies; /metrics is read as Prometheus
// reads it, spans go to a real receiver of OTLP, and the queries of deploy/ are held against what came.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { definitions, type MetricName } from '../../src/metrics/definitions.ts'
import { makeRepository } from '../chaos/arena.ts'
import { scraped, type Scraped } from '../helpers/metrics.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { startNodeProcess, type NodeProcess } from '../helpers/nodes.ts'
import { startReceiver, type OtlpReceiver, type ReceivedSpan } from '../helpers/otlp-receiver.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const run = 'watched'
interface Played { owner: Scraped; worker: Scraped; nodes: { owner: NodeProcess; worker: NodeProcess }; receiver: OtlpReceiver; ledger: Record<string, number> }

async function scrape ({ http }: NodeProcess): Promise<Scraped> {
  const response = await fetch(`${http}/metrics`)
  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  return scraped(await response.text())
}

t.test('metrics and traces of two nodes', { skip: skipWithoutNats(), timeout: 600_000 }, async t => {
  const played = await play()

  t.test('a node says how much it did, and the nodes together the ledger of the run', async t => {
    const { owner, worker, ledger } = played
    const total = (name: string, labels: Record<string, string>): number => (owner.value(name, labels) ?? 0) + (worker.value(name, labels) ?? 0)
    for (const state of ['dispatched', 'settled']) t.equal(total('spar_ledger_total', { run, state }), ledger[state], state)
    t.equal(worker.value('spar_slots', { kind: 'run' }), 4)
    t.equal(owner.value('spar_slots', { kind: 'run' }), 0)
    t.equal(owner.value('spar_work_delivered_total', { kind: 'episode', outcome: 'settled' }), 2)
    t.equal(owner.value('spar_work_delivered_total', { kind: 'run', outcome: 'settled' }), 1)
    const rollouts = worker.value('spar_work_delivered_total', { kind: 'rollout', outcome: 'settled' })!
    t.ok(rollouts >= 2 + 2, `${rollouts} rollouts`)
    t.equal(worker.value('spar_work_seconds_count', { kind: 'rollout' }), rollouts)
    t.equal(worker.value('spar_rollouts_total', { role: 'breaker', outcome: 'submitted' }), 2)
    t.ok(worker.value('spar_sandboxes_opened_total')! > rollouts)
    t.equal(worker.value('spar_sandboxes_open'), 0, 'none is left open')
    t.equal(worker.value('spar_sandbox_open_seconds_count'), worker.value('spar_sandboxes_opened_total'))
    const solver = { role: 'solver', policy: 'procedural-solver' }
    t.ok(worker.value('spar_policy_turns_total', { ...solver, reply: 'call' })! > 0)
    t.equal(worker.value('spar_policy_info', { ...solver, version: '1' }), 1)
    t.ok(worker.value('spar_tool_calls_total', { role: 'breaker', tool: 'bash', outcome: 'ok' })! > 0)
    t.equal(worker.value('spar_tool_calls_total', { role: 'breaker', tool: 'submit', outcome: 'ok' }), 2)
    t.equal(worker.value('spar_verify_checks_total', { check: 'files', verdict: 'pass' }), 2)
    t.equal(worker.value('spar_verify_stage_seconds_count', { stage: 'static' }), 2)
    t.ok(worker.labels('spar_grades_total').length > 0)
    t.equal(worker.value('spar_node_ready'), 1)
    t.equal(worker.value('spar_bus_connected'), 1)
    t.equal(worker.value('spar_arenas_held'), 1)
    t.equal(worker.value('spar_queue_waiting', { kind: 'episode', arena: 'any' }), 0)
    t.ok(worker.labels('spar_queue_waiting').some(({ kind }) => kind === 'grade'))
    t.ok(worker.value('spar_workers_threads')! >= 1)
    t.ok(worker.value('nodejs_eventloop_lag_p99_seconds') !== undefined)
    t.ok(worker.value('spar_trace_spans_total', { outcome: 'exported' })! > 0)
    t.equal(worker.count('spar_metrics_folded_total'), 0)
    for (const kind of ['run', 'episode', 'rollout', 'verify', 'grade']) t.equal(worker.value('spar_work_delivered_total', { kind, outcome: 'quarantined' }), 0, 'an alert sees the first one come')
    t.equal(worker.value('spar_sandboxes_lost_total'), 0)
  })

  t.test('no label grows with the work', async t => {
    for (const seen of [played.owner, played.worker]) {
      for (const name of seen.types.keys()) {
        for (const labels of [...seen.labels(name), ...seen.labels(`${name}_count`)]) for (const value of Object.values(labels)) t.notMatch(value, /^e\d{4}/, `${name} ${value}`)
      }
    }
  })

  t.test('every metric and label that the dashboard and the rules name is exported', async t => {
    const { worker } = played
    for (const [file, expressions] of Object.entries(deployed())) {
      t.ok(expressions.length > 5, `${file} has queries`)
      for (const expression of expressions) checkNames(t, worker, expression)
    }
  })

  t.test('the rules and the queries are right in the eyes of Prometheus, and the rules say what they should', { skip: promtool() === null && process.env['CI'] !== 'true' ? 'there is no promtool' : false }, async t => {
    const queries = join(testFolder(t), 'queries.yaml')
    const records = deployed()['deploy/grafana/spar.json']!.map((expr, index) => ({ record: `spar:query_${index}`, expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*') }))
    writeFileSync(queries, JSON.stringify({ groups: [{ name: 'dashboard', rules: records }] }))
    for (const args of [['check', 'rules', 'deploy/prometheus/spar-rules.yaml'], ['check', 'config', 'deploy/prometheus/prometheus.yaml'], ['check', 'rules', queries], ['test', 'rules', 'test/deploy/spar-rules.test.yaml']]) {
      const { status, stdout, stderr } = spawnSync(promtool()!, args, { encoding: 'utf8' })
      t.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`)
    }
  })

  t.test('run, episode, rollout and tool call are one trace over both nodes', async t => {
    const { spans } = played.receiver
    const byId = new Map(spans.map(span => [span.spanId, span]))
    t.equal(byId.size, spans.length, 'every span has an id of its own')
    t.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1)
    const parent = (span: ReceivedSpan): ReceivedSpan => byId.get(span.parentSpanId) ?? t.fail(`${span.name} has no parent`) as never
    const named = (name: string): ReceivedSpan[] => spans.filter(span => span.name === name)
    const tools = named('execute_tool bash')
    t.ok(tools.length > 0)
    for (const tool of tools) {
      const rollout = parent(tool)
      const episode = parent(rollout)
      const whole = parent(episode)
      t.match([tool, rollout, episode, whole].map(({ name }) => name), ['execute_tool bash', /^invoke_agent (breaker|solver)$/, 'spar.episode', 'spar.run'])
      t.same([tool, rollout, episode, whole].map(({ resource }) => resource['service.instance.id']), ['worker', 'worker', 'owner', 'owner'])
      t.ok(rollout.startMs <= tool.startMs && tool.endMs <= rollout.endMs, 'a tool call lies within its rollout')
      t.ok(whole.startMs <= episode.startMs && episode.endMs <= whole.endMs, 'an episode lies within its run')
    }
    t.equal(named('spar.run').length, 1)
    t.equal(named('spar.run')[0]!.parentSpanId, '')
    t.equal(named('spar.episode').length, 2)
    t.ok(named('spar.verify').length >= 2)
    for (const chat of spans.filter(({ name }) => name.startsWith('chat '))) t.match(parent(chat).name, /^invoke_agent/)
    t.notMatch(JSON.stringify(spans), /gen_ai\.(output\.messages|tool\.call\.(arguments|result))/, 'no content was asked for')
  })

  t.test('the log names run, episode, rollout and node', async t => {
    const { owner, worker } = played.nodes
    const breaks = worker.lines.filter(({ rollout }) => rollout === 'e0001.break')
    t.match(breaks, [{ level: 'info', node: 'worker', type: 'delivered', run, episode: 'e0001', outcome: 'settled', msg: /e0001\.break settled in \d+ ms/ }])
    t.match(owner.lines.filter(({ type, kind }) => type === 'delivered' && kind === 'run'), [{ node: 'owner', run }])
    t.same(worker.lines.filter(({ level }) => level === 'error'), [])
  })

  t.test('while the bus is away a scrape is answered in time, without the queues', async t => {
    await played.kill()
    const startedAt = performance.now()
    const seen = await scrape(played.nodes.worker)
    t.ok(performance.now() - startedAt < 10_000)
    t.equal(seen.value('spar_bus_connected'), 0)
    t.equal(seen.value('spar_node_ready'), 0)
  })

  async function play (): Promise<Played & { kill (): Promise<void> }> {
    const cwd = testFolder(t)
    const home = join(cwd, 'home')
    const repository = join(cwd, 'small')
    makeRepository(repository)
    const receiver = await startReceiver(t)
    const server = await startNats(t, { kind: natsServers().at(-1)!, folder: join(cwd, 'nats') })
    const start = (name: string, slots: string) => startNodeProcess(t, ['--name', name, '--nats', server.url, '--slots', slots, '--sandbox', 'process', '--http', '127.0.0.1:0', '--otlp', receiver.url, '--nats-store-gib', '1', '--log-level', 'debug'], { home: join(home, name), cwd })
    const owner = await start('owner', 'run=0,verify=0,grade=0,own=4')
    const worker = await start('worker', 'run=4,verify=2,grade=2,own=0')
    writeFileSync(join(cwd, 'run.json'), JSON.stringify({ name: run, episodes: 2, group: 2, seed: 4, 'max-order': 1, 'min-passing': 3, 'min-scored': 2, strategy: { removal: 1 }, arenas: [{ target: repository }] }))
    const submitted = await spar(['run', 'submit', join(cwd, 'run.json'), '--nats', server.url, '--json'], { home, cwd })
    t.equal(submitted.code, 0, submitted.err)
    const watched = await spar(['run', 'watch', run, '--nats', server.url, '--json'], { home, cwd })
    t.equal(watched.code, 0, watched.err)
    await untilStill(receiver)
    return { owner: await scrape(owner), worker: await scrape(worker), nodes: { owner, worker }, receiver, ledger: (watched.json as { ledger: Record<string, number> }).ledger, kill: async () => { await server.kill() } }
  }
})

/** Spans are sent every second; when none came for longer, all have come. */
async function untilStill (receiver: OtlpReceiver): Promise<void> {
  for (let seen = -1; seen < receiver.spans.length;) {
    seen = receiver.spans.length
    await new Promise(resolve => setTimeout(resolve, 2_500))
  }
}

function promtool (): string | null {
  for (const path of [process.env['SPAR_TEST_PROMTOOL'], 'promtool']) if (path !== undefined && spawnSync(path, ['--version']).status === 0) return path
  return null
}

/** Queries by file. */
function deployed (): Record<string, string[]> {
  const dashboard = JSON.parse(readFileSync('deploy/grafana/spar.json', 'utf8')) as { panels: { targets?: { expr: string }[] }[]; templating: { list: { type: string; query: string }[] } }
  const rules = readFileSync('deploy/prometheus/spar-rules.yaml', 'utf8')
  return {
    'deploy/grafana/spar.json': dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    'deploy/prometheus/spar-rules.yaml': [...rules.matchAll(/expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/g)].map(([, block, line]) => block ?? line!)
  }
}

const fromPrometheus = ['instance', 'job', 'le']

function checkNames (t: Test, seen: Scraped, expression: string): void {
  const names = [...expression.replace(/"[^"]*"/g, '""').matchAll(/\b(?:spar|nodejs|process)_[a-z0-9_]+/g)].map(([name]) => name)
  const labels: string[] = []
  for (const name of names) {
    const base = seen.types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')
    t.ok(seen.types.has(base), `${name} is exported`)
    if (base !== name) t.equal(seen.types.get(base), 'histogram', `${base} is a histogram`)
    if (base in definitions) labels.push(...definitions[base as MetricName].labels)
  }
  const used = [...expression.matchAll(/\b(?:by|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list]) => list!.split(',')).concat([...expression.matchAll(/[{,]\s*(\w+)\s*[=!]~?=?"/g)].map(([, label]) => label!)).map(label => label.trim()).filter(Boolean)
  for (const label of used) t.ok(labels.includes(label) || fromPrometheus.includes(label), `${expression} asks for the label ${label}`)
}
