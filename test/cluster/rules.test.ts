// The small rules of the cluster: where a slot waits, what a record may look like, what a run document says.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { QueueMessage } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { attach, detach } from '../../src/cluster/attachments.ts'
import { cancelRest, openWork } from '../../src/cluster/cancel.ts'
import { clusterSchema, pack, unpack } from '../../src/cluster/codec.ts'
import { createEndings } from '../../src/cluster/endings.ts'
import { createHolder } from '../../src/cluster/holder.ts'
import { createDocument, readDocument } from '../../src/cluster/document.ts'
import { backKey, checkName, readRecordKey, recordKey, settledKey, workKindOf } from '../../src/cluster/keys.ts'
import { clusterLimits } from '../../src/cluster/limits.ts'
import { createOutcomes } from '../../src/cluster/outcomes.ts'
import { createRecords, type Ending } from '../../src/cluster/records.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { submitRun } from '../../src/cluster/submit.ts'
import { createRotation } from '../../src/cluster/rotation.ts'
import { parseRunDocument, printRunDocument } from '../../src/cli/run-document.ts'
import { SparError } from '../../src/errors.ts'
import { untilStopped } from '../../src/run/options.ts'
import { latestOnly } from '../../src/latest-only.ts'
import { documentOf } from '../helpers/cluster-fixture.ts'

t.test('slots go where work is; a place that gave nothing is asked in passing', async t => {
  let now = 0
  const rotation = createRotation(() => now, { pullMs: 5000, pullSharedMs: 500, probeMs: 300 })
  t.equal(rotation.next(), null, 'there is no place')
  rotation.setPlaces([{ kind: 'grade', arena: 'a' }])
  t.match(rotation.next(), { place: { arena: 'a' }, waitMs: 5000 })
  rotation.setPlaces([{ kind: 'grade', arena: 'a' }, { kind: 'grade', arena: 'b' }])
  const other = rotation.next()!
  t.match(other, { place: { arena: 'b' }, waitMs: 500 }, 'the one with fewer waiters')
  other.end(false)
  t.equal(rotation.next()!.place.arena, 'a', 'b is quiet')
  now = 400
  const probe = rotation.next()!
  t.match(probe, { place: { arena: 'b' }, waitMs: 0 }, 'and asked in passing')
  probe.end(true)
  t.equal(rotation.next()!.place.arena, 'b', 'it has work again')
})

t.test('what is small travels in the record, what is large by its hash, and what is not what it was is refused', async t => {
  const { objects } = createMemoryBroker({ clock: systemClock }).connect()
  const [small, large] = await attach(objects, [{ name: 'a', bytes: Buffer.from('abc') }, { name: 'b', bytes: Buffer.alloc(100, 7) }], 50)
  t.match(small, { size: 3, object: null })
  t.match(large, { size: 100, inline: null, object: /^sha256-[0-9a-f]{64}$/ })
  t.same(await detach(objects, large!), Buffer.alloc(100, 7))
  await t.rejects(detach(objects, { ...large!, object: 'sha256-' + '0'.repeat(64) }), { code: 'ATTACHMENT_LOST', retryable: true })
  await objects.put('sha256-' + '1'.repeat(64), Buffer.alloc(100, 8))
  await t.rejects(detach(objects, { ...large!, object: 'sha256-' + '1'.repeat(64) }), { code: 'ATTACHMENT_CORRUPT' })
})

t.test('endings are kept at hand while there is room; only settled ones, and none of a run that is no more', t => {
  const ending = (size: number): Ending => ({ delivery: 1, node: 'n', startedAt: 0, at: 0, kind: 'settled', result: { name: 'r', size, inline: null, object: 'o' }, files: [], artifact: null })
  const endings = createEndings(100_000)
  endings.keep('r.work.a.ended', { delivery: 1, node: 'n', startedAt: 0, at: 0, kind: 'cancelled', reason: '' })
  t.equal(endings.get('r.work.a.ended'), null, 'another one may stand there one day')
  endings.keep('r.work.a.ended', ending(200_000))
  t.equal(endings.get('r.work.a.ended'), null, 'larger than all the room')
  for (let index = 0; index < 10; index++) endings.keep(`r.work.${index}.ended`, ending(20_000))
  t.same(Array.from({ length: 10 }, (_, index) => endings.get(`r.work.${index}.ended`) !== null), [false, false, false, false, false, false, true, true, true, true], 'the oldest went')
  endings.keep('r2.work.a.ended', ending(10))
  endings.forget('r')
  t.equal(endings.get('r.work.9.ended'), null)
  t.not(endings.get('r2.work.a.ended'), null)
  for (let index = 0; index < 1_000; index++) endings.keep(`r.work.${index}.ended`, ending(0))
  t.ok(Array.from({ length: 1_000 }, (_, index) => endings.get(`r.work.${index}.ended`)).filter(found => found !== null).length < 50, 'what an ending takes beside its bytes counts')
  t.end()
})

t.test('what is held is said to be, until it is let go or its node is gone', async t => {
  const over = new AbortController()
  const holder = createHolder(systemClock, 20, over.signal)
  const said: string[] = []
  const message = (id: string): QueueMessage => ({ subject: { kind: 'rollout', arena: 'a', run: 'r', id }, bytes: new Uint8Array(), delivery: 1, ack: async () => {}, working: () => { said.push(id) }, again: () => {} })
  const count = (id: string): number => said.filter(one => one === id).length
  const [one, two] = [holder.hold(message('one')), holder.hold(message('two'))]
  while (count('one') < 3 || count('two') < 3) await systemClock.sleep(1)
  one()
  const before = count('one')
  while (count('two') < 6) await systemClock.sleep(1)
  t.equal(count('one'), before)
  two()
  const again = holder.hold(message('three'))
  while (count('three') < 2) await systemClock.sleep(1)
  over.abort()
  const last = said.length
  await systemClock.sleep(30)
  t.equal(said.length, last)
  again()
})

t.test('a value of a newer version is refused by name', async t => {
  t.same(unpack<{ a: number }>(pack({ a: 1 }), 'x').a, 1)
  t.throws(() => unpack(pack({ schema_version: clusterSchema + 1 }), 'the run r'), { code: 'CLUSTER_SCHEMA_NEWER', message: /the run r/ })
  t.throws(() => unpack(Buffer.from([0xc1]), 'the run r'), { code: 'CLUSTER_CORRUPT' })
  t.throws(() => unpack(Buffer.from([0x80]), 'the run r'), { code: 'CLUSTER_CORRUPT' })
})

t.test('a run that is given up leaves neither open work nor a snapshot, also of owners that are gone', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  const retry = createRetry(systemClock)
  const records = createRecords(bus, retry)
  for (const key of ['r.e0001', 'r.e0002', 'r2.e0001']) await bus.kv.episodes.put(key, pack({ snapshot: null }))
  await records.dispatch('r', 'e0001.break', { kind: 'break', arena: 'a', at: 1 })
  await cancelRest({ bus, retry, records, nodeId: 'n', ports: { clock: systemClock } }, 'r', 'enough')
  t.match(await records.ending('r', 'e0001.break'), { kind: 'cancelled', reason: 'enough' })
  t.equal(await bus.kv.episodes.get('r.e0001'), null)
  t.equal(await bus.kv.episodes.get('r.e0002'), null)
  t.not(await bus.kv.episodes.get('r2.e0001'), null)
})

t.test('an ending that was written before its dispatch is one', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  const records = createRecords(bus, createRetry(systemClock))
  const made = { delivery: 1, node: 'n', startedAt: 1, at: 2 }
  await records.end('r', 'e0001.break', { ...made, kind: 'cancelled', reason: 'enough' })
  await records.dispatch('r', 'e0001.break', { kind: 'break', arena: 'a', at: 1 })
  await records.dispatch('r', 'e0002.break', { kind: 'break', arena: 'a', at: 1 })
  t.strictSame(await openWork(bus, 'r.work'), ['e0002.break'])
})

t.test('an outcome counts that came after its episode was put back for the last time, in whatever order owners write', t => {
  const outcomes = createOutcomes(({ bytes }) => Buffer.from(bytes).toString())
  let sequence = 0
  const enter = (key: string, text = ''): { episode: string; isSettled: boolean } | null => outcomes.enter({ key, bytes: Buffer.from(text), sequence: ++sequence })
  const steps: [string, string, { episode: string; isSettled: boolean } | null, string | undefined][] = [
    [settledKey('r', 'e1'), 'first', { episode: 'e1', isSettled: true }, 'first'],
    [backKey('r', 'e1', 1), '', { episode: 'e1', isSettled: false }, undefined],
    [settledKey('r', 'e1'), 'late', null, undefined],
    [settledKey('r', 'e1', 1), 'second', { episode: 'e1', isSettled: true }, 'second'],
    [backKey('r', 'e1', 1), '', null, 'second'],
    [backKey('r', 'e1', 2), '', { episode: 'e1', isSettled: false }, undefined],
    [backKey('r', 'e1', 3), '', null, undefined],
    [settledKey('r', 'e1', 2), 'late', null, undefined],
    [settledKey('r', 'e1', 3), 'third', { episode: 'e1', isSettled: true }, 'third'],
    [recordKey('r', 'e1.break', 'ended'), 'work', null, 'third']
  ]
  for (const [key, text, change, stands] of steps) {
    t.same(enter(key, text), change, key)
    t.equal(outcomes.values.get('e1'), stands, key)
  }
  t.equal(outcomes.timesBack('e1'), 3)
  t.end()
})

t.test('keys say what they name', async t => {
  t.same(readRecordKey(recordKey('r', 'e0001.solve.1.0', 'ended')), { kind: 'work', run: 'r', work: 'e0001.solve.1.0', entry: 'ended' })
  t.same(readRecordKey(recordKey('r', 'e0001.solve.1.0', 'failed.3')), { kind: 'work', run: 'r', work: 'e0001.solve.1.0', entry: 'failed.3' })
  for (const times of [0, 1, 12]) t.same(readRecordKey(settledKey('r', 'e0001', times)), { kind: 'settled', run: 'r', episode: 'e0001', times })
  t.same(readRecordKey(backKey('r', 'e0001', 2)), { kind: 'back', run: 'r', episode: 'e0001', times: 2 })
  for (const later of ['r.settled.e0001.later', 'r.settled.e0001.later.1', 'r.settled.e0001.back.1.2']) t.equal(readRecordKey(later), null, later)
  t.equal(readRecordKey('r.later.thing'), null)
  t.equal(workKindOf('e0001.grade.2.7'), 'grade')
  for (const name of ['', 'A', 'a.b', '-a', 'a'.repeat(64), '../x']) t.throws(() => checkName('the name of a run', name), { code: 'OPTION_INVALID' }, name)
})

t.test('a call of the bus is tried again while that can help, and not for ever', async t => {
  const away = new SparError('BUS_UNAVAILABLE', 'away', { retryable: true })
  const retry = createRetry(systemClock, { retryMsMin: 1, retryMsMax: 4, retryForMs: 60 })
  let calls = 0
  t.equal(await retry(async () => { if (++calls < 4) throw away; return 'done' }), 'done')
  await t.rejects(retry(async () => { throw away }), { code: 'BUS_UNAVAILABLE' })
  calls = 0
  await t.rejects(retry(async () => { calls++; throw new SparError('BUS_DENIED', 'no') }), { code: 'BUS_DENIED' })
  t.equal(calls, 1)
})

t.test('of values written fast only the latest counts', async t => {
  const written: number[] = []
  let release!: () => void
  const gate = new Promise<void>(resolve => { release = resolve })
  let latest = 0
  const writer = latestOnly(async () => { written.push(latest); await gate })
  const write = (value: number): Promise<void> => { latest = value; return writer.write() }
  const all = [1, 2, 3, 4].map(value => write(value))
  await new Promise(resolve => setImmediate(resolve))
  all.push(write(5), write(6))
  release()
  await Promise.all(all)
  t.same(written, [4, 6])
})

const toml = `
name = "nightly"
episodes = "until stopped"
in-flight = 3
trainer = "grpo-1"
samples-ahead-mib = 64
min-files = "2..3"
max-turns = "breaker=9,solver=8"
solver = "node"
strategy = { removal = 2, history = 1 }
[[arenas]]
target = "npm:fast-uri@^3"
[[arenas]]
target = "https://example.org/a/b.git"
setup = "make"
`

t.test('a run document is checked whole, and printed so that it can be submitted again', async t => {
  const document = parseRunDocument(toml, 'toml', 1_000)
  t.match(document, { name: 'nightly', state: 'running', inFlight: 3, trainer: { name: 'grpo-1', aheadBytesMax: 64 * 2 ** 20 }, options: { arenas: 2, episodes: untilStopped, target: 'npm:fast-uri@^3', breaker: 'procedural', solver: 'node', minFiles: { min: 2, max: 3 }, strategy: { removal: 2, history: 1, direct: 0 }, turnsMax: { breaker: 9, solver: 8 }, group: 8 } })
  t.same(document.arenas[1], { target: 'https://example.org/a/b.git', setup: 'make', test: null, opened: null })
  t.same(parseRunDocument(printRunDocument(document), 'toml', 1_000), document)
  t.match(parseRunDocument('{"arenas": ["npm:fast-uri@^3"]}', 'json', 1_000), { name: /^fast-uri-seed1-/, trainer: null })
  t.match(parseRunDocument('{"arenas": ["npm:fast-uri@^3"], "trainer": "trainer"}', 'json', 1_000).trainer, { name: 'trainer', aheadBytesMax: clusterLimits.aheadBytesMax })
  const { trainer: _, ...before } = document
  t.same(readDocument(pack(before), 'nightly').trainer, null, 'of before there were trainers')
})

t.test('what is wrong with a run document is told by field and rule', async t => {
  const refused = (text: string, message: RegExp): void => { t.throws(() => parseRunDocument(text, 'json', 1), { code: 'OPTION_INVALID', message }, text) }
  refused('{', /as JSON/)
  refused('[]', /no table/)
  refused('{}', /"arenas".*at least one/)
  refused('{"arenas": []}', /at least one/)
  refused('{"arenas": [{}]}', /arenas\[0\]/)
  refused('{"arenas": [{"target": "npm:a", "branch": "x"}]}', /arenas\[0\].branch/)
  refused('{"arenas": ["npm:fast-uri"], "epsiodes": 3}', /"epsiodes".*no such field/)
  refused('{"arenas": ["npm:fast-uri"], "episodes": 0}', /"episodes".*until stopped/)
  refused('{"arenas": ["npm:fast-uri"], "in-flight": 1001}', /"in-flight".*from 1 to 1000/)
  refused('{"arenas": ["npm:fast-uri"], "group": "many"}', /group/)
  refused('{"arenas": ["npm:fast-uri"], "trainer": "my_trainer"}', /"my_trainer" as the name of a trainer/)
  refused('{"arenas": ["npm:fast-uri"], "trainer": "t", "samples-ahead-mib": 0.5}', /"samples-ahead-mib".*from 1/)
  refused('{"arenas": ["npm:fast-uri"], "samples-ahead-mib": 5}', /"samples-ahead-mib".*Name the trainer/)
  refused('{"arenas": ["npm:fast-uri"], "solver": "gpt"}', /solver/)
  refused('{"arenas": ["npm:fast-uri"], "name": "Nightly Run"}', /the name of a run/)
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  await createDocument(bus, documentOf('taken'))
  await t.rejects(createDocument(bus, documentOf('taken')), { code: 'RUN_EXISTS' })
  // Whoever was stopped before anybody was asked to lead the run submits it again; and only the same run, once.
  const retry = createRetry(systemClock)
  await t.rejects(submitRun(bus, retry, documentOf('taken', { seed: 99 })), { code: 'RUN_EXISTS' })
  await submitRun(bus, retry, { ...documentOf('taken'), submittedAt: 7 })
  t.match(await bus.queue.subjects('taken'), [{ kind: 'run' }])
  await t.rejects(submitRun(bus, retry, documentOf('taken')), { code: 'RUN_EXISTS' })
  const large = documentOf('large', {}, Array.from({ length: 900 }, (_, index) => `npm:${'a'.repeat(clusterLimits.documentBytesMax / 800)}${index}`))
  await t.rejects(createDocument(bus, large), { code: 'DOCUMENT_TOO_LARGE' })
})
