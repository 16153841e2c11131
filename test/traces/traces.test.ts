// Goal: spans arrive as they were told, linked by ids that everybody can work out; a receiver that is slow, refuses or is gone
// costs spans, which are counted, and nothing else. Method: the real exporter against a server that speaks OTLP over HTTP.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { RolloutWatch } from '../../src/rollout/watch.ts'
import { isTraced, spanIdOf, traceIdOf, workPath } from '../../src/traces/ids.ts'
import { createOtlpTracer, type OtlpOptions } from '../../src/traces/otlp.ts'
import { traceDelivery, traceRollouts, type TraceOptions } from '../../src/traces/work.ts'
import { traceLimits, type Span, type Tracer } from '../../src/traces/types.ts'
import type { ModelCall } from '../../src/workers/codec/tokens.ts'
import { startReceiver } from '../helpers/otlp-receiver.ts'

const run = { name: 'nightly', submittedAt: 1_700_000_000_000 }
const trace = traceIdOf(run.name, run.submittedAt)
const span = (name: string, more: Partial<Span> = {}): Span => ({ trace, id: spanIdOf(trace, name), parent: null, name, kind: 'internal', startedAt: 1_700_000_000_123, endedAt: 1_700_000_000_456, attributes: {}, error: null, ...more })
const open = (url: string, more: Partial<OtlpOptions> = {}): Tracer => createOtlpTracer({ url, resource: { 'service.name': 'spar', 'service.instance.id': 'n1' }, clock: systemClock, ...more })

t.test('a span arrives with its ids, times, attributes and fault', async t => {
  const receiver = await startReceiver(t)
  const tracer = open(receiver.url)
  tracer.export(span('root'))
  tracer.export(span('below', { parent: spanIdOf(trace, 'root'), kind: 'client', attributes: { text: 'a', whole: 3, part: 0.5, is: true, list: ['x', 'y'] }, error: { code: 'SERVER_DOWN', message: 'nobody answers' } }))
  await tracer.close()
  t.match(receiver.spans, [
    { traceId: trace, spanId: spanIdOf(trace, 'root'), parentSpanId: '', name: 'root', kind: 1, startMs: 1_700_000_000_123, endMs: 1_700_000_000_456, resource: { 'service.name': 'spar', 'service.instance.id': 'n1' } },
    { traceId: trace, parentSpanId: spanIdOf(trace, 'root'), kind: 3, attributes: { text: 'a', whole: 3, part: 0.5, is: true, list: ['x', 'y'] }, status: { code: 2, message: 'SERVER_DOWN: nobody answers' } }
  ])
  t.same(tracer.counts(), { exported: 2, dropped: 0, failed: 0 })
})

t.test('where no address is given the environment\'s is taken', async t => {
  const receiver = await startReceiver(t)
  const before = process.env['OTEL_EXPORTER_OTLP_ENDPOINT']
  t.teardown(() => { if (before === undefined) delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT']; else process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = before })
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = receiver.url
  const tracer = createOtlpTracer({ url: null, resource: {}, clock: systemClock })
  tracer.export(span('a'))
  await tracer.close()
  t.equal(receiver.spans.length, 1)
})

t.test('above queueMax spans are dropped, counted and told once; nobody waits', async t => {
  const receiver = await startReceiver(t)
  receiver.delayMs = 300
  const told: string[] = []
  const tracer = open(receiver.url, { limits: { queueMax: 100, batchMax: 10 }, onTrouble: reason => told.push(reason) })
  const startedAt = performance.now()
  for (let index = 0; index < 1000; index++) tracer.export(span(`${index}`))
  t.ok(performance.now() - startedAt < 1000)
  t.equal(tracer.counts().dropped, 900)
  await tracer.close()
  t.equal(told.length, 1)
  t.match(told[0], /queueMax/)
  t.same(tracer.counts(), { exported: 100, dropped: 900, failed: 0 })
  t.equal(receiver.spans.length, 100)
})

t.test('a receiver that refuses or is not there costs its spans, and a node ends all the same', async t => {
  const receiver = await startReceiver(t)
  receiver.status = 400
  const told: string[] = []
  const refused = open(receiver.url, { onTrouble: reason => told.push(reason) })
  refused.export(span('a'))
  await refused.close()
  t.same(refused.counts(), { exported: 0, dropped: 0, failed: 1 })
  t.equal(told.length, 1)

  const requestMsMax = 700
  const gone = open('http://127.0.0.1:9', { limits: { requestMsMax } })
  gone.export(span('a'))
  const startedAt = performance.now()
  await gone.close()
  t.ok(performance.now() - startedAt < requestMsMax + 1500)
  t.same(gone.counts(), { exported: 0, dropped: 0, failed: 1 })
})

t.test('a node without traces loads neither SDK nor exporter', async t => {
  const node = new URL('../../src/cli/node.js', import.meta.url).href
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', `import(${JSON.stringify(node)}).then(() => console.log(JSON.stringify(Object.keys(require('module')._cache))))`], { encoding: 'utf8' })
  const loaded = JSON.parse(stdout || stderr) as string[]
  t.ok(loaded.some(path => path.includes('/prom-client/')), 'what is loaded is seen')
  t.same(loaded.filter(path => /@opentelemetry\/(?!api\/)/.test(path)), [])
})

t.test('an address that cannot be used is refused before anything is done', async t => {
  for (const url of ['nowhere', 'ftp://x', 'http://user:secret@x']) t.throws(() => open(url), { code: 'OPTION_INVALID', message: /^((?!secret).)*$/s })
})

const call: ModelCall = {
  call_id: 'c', endpoint: 'http://model:8000', model: 'tiny', policy_version: 'step-7', sampling: { temperature: 0.7, top_p: 1, top_k: null, seed: 5, max_tokens: 100 }, logprobs_mode: null,
  prompt_token_ids: null, completion_token_ids: null, completion_logprobs: null, segment: null, prompt_tokens: 40, completion_tokens: 6, finish_reason: 'stop', cached_tokens: 32, started_at: 1, ended_at: 2, error: null
}

/** One rollout with a turn, a tool call and a fault; what was told of it. */
function spansOf (options: TraceOptions, text = 'SECRET reply'): Span[] {
  const spans: Span[] = []
  const tracer: Tracer = { export: span => spans.push(span), counts: () => ({ exported: 0, dropped: 0, failed: 0 }), close: async () => {} }
  const watch: RolloutWatch = traceRollouts(tracer, run, options, () => 50).rollout({ rolloutId: 'e0001.solve.1.0', role: 'solver', delivery: 2, policy: 'tiny', startedAt: 1 })
  const tool = { tool: 'bash', command: `echo ${text}` } as const
  watch.asked({ turn: 1, reply: { text, call: tool, fault: null }, call, version: 'step-7', error: null, startedAt: 2, endedAt: 9 })
  watch.used({ turn: 1, call: tool, result: { exitCode: 1, text, truncatedBytes: 0, timedOut: false }, error: null, startedAt: 9, endedAt: 20 })
  watch.asked({ turn: 2, reply: null, call: null, version: 'step-8', error: { code: 'SERVER_DOWN', message: 'x'.repeat(5000) }, startedAt: 20, endedAt: 30 })
  watch.ended({ kind: 'infra_fault', code: 'SERVER_DOWN', reason: 'gone' })
  const delivered = { type: 'delivered', run: run.name, submittedAt: run.submittedAt, delivery: 1, startedAt: 1, ms: 60 } as const
  traceDelivery(tracer, { ...delivered, kind: 'rollout', work: 'e0001.solve.1.0', outcome: 'failed' }, options)
  traceDelivery(tracer, { ...delivered, kind: 'grade', work: 'e0001.grade.1.0', outcome: 'settled' }, options)
  traceDelivery(tracer, { ...delivered, kind: 'episode', work: 'e0001', outcome: 'handedBack' }, options)
  traceDelivery(tracer, { ...delivered, kind: 'episode', work: 'e0001', outcome: 'settled' }, options)
  traceDelivery(tracer, { ...delivered, kind: 'run', work: 'lead', outcome: 'settled' }, options)
  return spans
}

t.test('run, episode, rollout, turns and tools are a tree, in the words of the conventions', async t => {
  const spans = spansOf({ content: false, share: 1 })
  t.same(spans.map(({ name }) => name), ['chat tiny', 'execute_tool bash', 'chat tiny', 'invoke_agent solver', 'spar.grade', 'spar.episode', 'spar.run'])
  const [chat, tool, failed, rollout, grade, episode, whole] = spans as [Span, Span, Span, Span, Span, Span, Span]
  t.same([whole.parent, episode.parent, rollout.parent, grade.parent, chat.parent, tool.parent, failed.parent], [null, whole.id, episode.id, episode.id, rollout.id, rollout.id, rollout.id])
  t.equal(new Set(spans.map(({ id }) => id)).size, spans.length)
  t.equal(rollout.id, spanIdOf(trace, workPath('e0001.solve.1.0', 2)), 'another delivery is another span')
  t.equal(whole.startedAt, run.submittedAt)
  t.match(chat, { kind: 'client', attributes: {
    'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'tiny', 'gen_ai.usage.input_tokens': 40, 'gen_ai.usage.output_tokens': 6, 'gen_ai.usage.cache_read.input_tokens': 32, 'gen_ai.response.finish_reasons': ['stop'], 'gen_ai.request.temperature': 0.7,
    'spar.policy.version': 'step-7', 'spar.run': 'nightly', 'spar.episode': 'e0001', 'spar.rollout': 'e0001.solve.1.0'
  } })
  t.match(tool, { attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'bash', 'spar.exit_code': 1 }, error: null })
  t.match(failed, { attributes: { 'error.type': 'SERVER_DOWN' }, error: { code: 'SERVER_DOWN' } })
  t.ok(failed.error!.message.length <= traceLimits.reasonCharsMax + 1)
  t.match(rollout, { attributes: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'solver', 'spar.outcome': 'infra_fault', 'spar.turns': 2, 'gen_ai.usage.input_tokens': 40 }, error: { code: 'SERVER_DOWN' } })
})

t.test('every name of the conventions that is used is one', async t => {
  const file = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-http')).resolve('@opentelemetry/semantic-conventions/incubating')
  const known = readFileSync(file.replace(/index-incubating\.\w+$/, 'experimental_attributes.cjs'), 'utf8')
  for (const { attributes } of spansOf({ content: true, share: 1 })) for (const name of Object.keys(attributes).filter(name => name.startsWith('gen_ai.'))) t.ok(known.includes(`"${name}"`) || known.includes(`'${name}'`), name)
})

t.test('what a model wrote and what tools answered is exported only where it was asked for, and cut', async t => {
  t.notMatch(JSON.stringify(spansOf({ content: false, share: 1 })), /SECRET/)
  const [chat, tool] = spansOf({ content: true, share: 1 }) as [Span, Span]
  t.match(JSON.parse(chat.attributes['gen_ai.output.messages'] as string), [{ role: 'assistant', parts: [{ type: 'text', content: 'SECRET reply' }], finish_reason: 'stop' }])
  t.match(tool.attributes, { 'gen_ai.tool.call.arguments': '{"command":"echo SECRET reply"}', 'gen_ai.tool.call.result': 'SECRET reply' })
  for (const { attributes } of spansOf({ content: true, share: 1 }, 'y'.repeat(1_000_000))) for (const value of Object.values(attributes)) t.ok(String(value).length < traceLimits.textCharsMax + 200)
})

t.test('a share of the episodes is the same on every node, and a run has its span all the same', async t => {
  const traced = Array.from({ length: 2000 }, (_, index) => isTraced(trace, `e${index}`, 0.25)).filter(Boolean).length
  t.ok(traced > 400 && traced < 600, `${traced} of 2000`)
  t.same(spansOf({ content: false, share: 0 }).map(({ name }) => name), ['spar.run'])
  t.not(traceIdOf('nightly', 1), traceIdOf('nightly', 2), 'the same name, submitted at another time')
})
