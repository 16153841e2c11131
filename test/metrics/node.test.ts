// Goal: what is known of a node is told as it is, and whoever cannot say it holds no scrape up. Method: the real registry, a bus in
// memory whose queue can hang, sandboxes that fail on demand.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import type { NodePresence } from '../../src/cluster/presence.ts'
import { SparError } from '../../src/errors.ts'
import { countReport, measureNode } from '../../src/metrics/node.ts'
import { createMetrics } from '../../src/metrics/registry.ts'
import { countRollouts, versionsMax } from '../../src/metrics/rollouts.ts'
import { measureSandboxes } from '../../src/metrics/sandboxes.ts'
import type { Sandbox, Sandboxes } from '../../src/ports.ts'
import type { ModelCall } from '../../src/workers/codec/tokens.ts'
import { scraped } from '../helpers/metrics.ts'

const presence = (): NodePresence => ({ node: 'n1', host: 'h', pid: 1, version: '0', labels: {}, state: 'serving', slots: { run: { total: 4, busy: 1, done: 0 } }, arenas: ['a1'], refusals: [], delivered: {}, waits: [], startedAt: 0, at: 0 })

t.test('queues are asked for once in depthEveryMs, and given depthMsMax', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  t.teardown(() => bus.close())
  let asked = 0
  let hangs = false
  const counted: Bus = { ...bus, isConnected: true, queue: { ...bus.queue, depth: async (kind, arena) => { asked++; return hangs ? await new Promise<never>(() => {}) : await bus.queue.depth(kind, arena) } } }
  await bus.queue.add({ kind: 'episode', arena: 'any', run: 'r', id: 'e0001' }, Buffer.from('{}'))
  const metrics = createMetrics()
  const stop = measureNode(metrics, { presence, isReady: true }, { bus: counted, clock: systemClock, limits: { depthEveryMs: 300, depthMsMax: 100 } })
  const first = scraped(await metrics.expose())
  t.equal(first.value('spar_queue_waiting', { kind: 'episode', arena: 'any' }), 1)
  t.equal(first.value('spar_queue_waiting', { kind: 'grade', arena: 'a1' }), 0)
  t.equal(asked, 5, 'both gauges have one answer')
  await metrics.expose()
  t.equal(asked, 5)
  await systemClock.sleep(350)
  hangs = true
  const startedAt = performance.now()
  const late = scraped(await metrics.expose())
  t.ok(performance.now() - startedAt < 2_000)
  t.equal(late.count('spar_queue_waiting'), 0)
  t.equal(late.value('spar_slots_busy', { kind: 'run' }), 1, 'the rest is told')
  stop()
  t.equal(scraped(await metrics.expose()).count('spar_slots'), 0)
})

t.test('deliveries are counted by outcome, faults by code', async t => {
  const metrics = createMetrics()
  const delivered = { type: 'delivered', kind: 'grade', run: 'r', submittedAt: 1, work: 'e0001.grade.1.0', delivery: 1, startedAt: 1, ms: 2_500 } as const
  countReport(metrics, { ...delivered, outcome: 'settled' })
  countReport(metrics, { ...delivered, outcome: 'failed', code: 'SANDBOX_LOST', reason: 'gone' })
  countReport(metrics, { type: 'fault', code: 'CLUSTER_SCHEMA_NEWER', reason: 'x' })
  const seen = scraped(await metrics.expose())
  t.equal(seen.value('spar_work_delivered_total', { kind: 'grade', outcome: 'failed' }), 1)
  t.equal(seen.value('spar_work_seconds_sum', { kind: 'grade' }), 5)
  t.same(seen.labels('spar_faults_total'), [{ code: 'SANDBOX_LOST' }, { code: 'CLUSTER_SCHEMA_NEWER' }])
})

t.test('sandboxes are counted when they open, fail, get lost and go', async t => {
  let fault: SparError | null = null
  const lost = new SparError('SANDBOX_LOST', 'the container is gone', { retryable: true })
  const bare: Sandbox = { id: 's', kind: 'process', isolation: 'none', tree: '/t', scratch: '/s', exec: async () => { throw lost }, readFile: async () => { throw lost }, writeFile: async () => {}, destroy: async () => {} }
  const inner: Sandboxes = { kind: 'process', open: async () => { if (fault !== null) throw fault; return bare }, reap: async () => ({ removed: ['a', 'b'] }), close: async () => {} }
  const metrics = createMetrics()
  const sandboxes = measureSandboxes(inner, metrics, systemClock)
  const [one, two] = [await sandboxes.open({} as never), await sandboxes.open({} as never)]
  await t.rejects(one.exec('x', {} as never), { code: 'SANDBOX_LOST' })
  await t.rejects(one.readFile('x', 1), { code: 'SANDBOX_LOST' })
  await two.destroy()
  await two.destroy()
  fault = new SparError('SANDBOX_START_FAILED', 'no room')
  await t.rejects(sandboxes.open({} as never), { code: 'SANDBOX_START_FAILED' })
  await t.rejects(sandboxes.open({} as never, AbortSignal.abort()), { code: 'SANDBOX_START_FAILED' }, 'whoever gave it up is no failure')
  await sandboxes.reap()
  const seen = scraped(await metrics.expose())
  t.equal(seen.value('spar_sandboxes_opened_total'), 2)
  t.equal(seen.value('spar_sandboxes_open'), 1)
  t.equal(seen.value('spar_sandboxes_lost_total'), 1, 'a sandbox is lost once')
  t.equal(seen.value('spar_sandbox_open_failures_total', { code: 'SANDBOX_START_FAILED' }), 1)
  t.equal(seen.value('spar_sandboxes_reaped_total'), 2)
})

t.test('turns, tokens, errors and tools of a model are counted; of its versions the last is told', async t => {
  const metrics = createMetrics()
  const watches = countRollouts(metrics)
  const watch = watches.rollout({ rolloutId: 'e0001.break', role: 'breaker', delivery: 1, policy: 'm', startedAt: 0 })
  const call = { prompt_tokens: 100, cached_tokens: 60, completion_tokens: 7 } as ModelCall
  const tool = { tool: 'bash', command: 'x' } as const
  const turn = { turn: 1, call, version: '1', error: null, startedAt: 0, endedAt: 1_500 }
  watch.asked({ ...turn, reply: { text: '', call: tool, fault: null } })
  watch.asked({ ...turn, reply: { text: '', call: null, fault: 'no call' }, call: { ...call, cached_tokens: null } })
  watch.asked({ ...turn, reply: { text: '', call: null, fault: 'no more', ends: true }, call: null, version: '2' })
  watch.asked({ ...turn, reply: null, call: null, version: '2', error: { code: 'SERVER_DOWN', message: '' } })
  for (const result of [{ exitCode: 0 }, { exitCode: 2 }, { exitCode: null, timedOut: true }, null]) watch.used({ turn: 1, call: tool, result: result && { text: '', truncatedBytes: 0, timedOut: false, ...result }, error: null, startedAt: 0, endedAt: 10 })
  watch.ended({ kind: 'infra_fault' })
  for (let index = 0; index < 2 * versionsMax; index++) watches.rollout({ rolloutId: 'e0001.break', role: 'breaker', delivery: 1, policy: `m${index}`, startedAt: 0 }).asked({ ...turn, reply: null, call: null })
  const seen = scraped(await metrics.expose())
  const who = { role: 'breaker', policy: 'm' }
  for (const reply of ['call', 'malformed', 'gave_up']) t.equal(seen.value('spar_policy_turns_total', { ...who, reply }), 1, reply)
  for (const [kind, tokens] of [['prompt', 200], ['cached', 60], ['completion', 14]] as const) t.equal(seen.value('spar_policy_tokens_total', { ...who, kind }), tokens, kind)
  t.equal(seen.value('spar_policy_turn_seconds_sum', who), 4.5)
  t.equal(seen.value('spar_policy_errors_total', { ...who, code: 'SERVER_DOWN' }), 1)
  t.equal(seen.value('spar_policy_info', { ...who, version: '2' }), 1)
  t.equal(seen.value('spar_policy_info', { ...who, version: '1' }), undefined)
  t.equal(seen.count('spar_policy_info'), versionsMax)
  for (const outcome of ['ok', 'failed', 'timeout', 'fault']) t.equal(seen.value('spar_tool_calls_total', { role: 'breaker', tool: 'bash', outcome }), 1, outcome)
  t.equal(seen.value('spar_rollouts_total', { role: 'breaker', outcome: 'infra_fault' }), 1)
})
