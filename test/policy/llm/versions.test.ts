// Goal: a rollout that an update of the weights meets says what sampled each of its tokens. Method: the weights change between
// the turns of one rollout, over every protocol that gives tokens; what publishes them is a port, or the server itself.

import t from 'tap'
import { systemClock } from '../../../src/clock.ts'
import type { Observation, RolloutTask } from '../../../src/domain.ts'
import { createLlmPolicy, llmDefaults } from '../../../src/policy/llm/policy.ts'
import { loadPrompts } from '../../../src/policy/llm/prompts.ts'
import type { PolicyTrace, PolicyVersions } from '../../../src/ports.ts'
import { recordOf } from '../../../src/rollout/record.ts'
import { status } from '../../helpers/fake-server/faults.ts'
import { askOf, never, openClient, openFake, ways } from '../../helpers/servers-fixture.ts'

const task: RolloutTask = { role: 'solver', oraclePatch: '+x\n', rolloutId: 'e0001.solve.1.0', seed: 1, tree: '/t', scratch: '/s', testCommand: null, turnsMax: 9, tokensMax: 100_000, commandMsMax: 1000 }
const told: Observation = { exitCode: 0, text: 'ok', truncatedBytes: 0, timedOut: false, turnsLeft: 5, tokensLeft: 5000 }

const recordWith = (trace: PolicyTrace, version: string): ReturnType<typeof recordOf> => recordOf({
  run: 'r', episodeId: 'e0001', roundId: 'removal.1', arena: { id: null, image: null }, bug: { id: null, order: 1, parent: null }, rolloutId: task.rolloutId, role: 'solver', groupId: 'g', member: 0, delivery: 1,
  policy: { name: 'fake', version }, session: { turns: [], tools: [], sandbox: null, trace }, outcome: 'scored', startedAt: 0, endedAt: 1
})

for (const way of ways.filter(({ givesTokens, options }) => givesTokens && options.protocol !== 'sglang')) {
  t.test(`${way.name}: what publishes the weights is asked at every turn`, async t => {
    const fake = await openFake(t, { ...way.fake, reply: () => ({ content: '<tool: bash>\nls\n</tool>' }) })
    let current = 'step-1'
    const versions: PolicyVersions = { current: () => current }
    const policy = createLlmPolicy({ server: openClient(t, [fake.url], { ...way.options, ports: { versions } }), prompts: loadPrompts(), settings: llmDefaults, clock: systemClock, versions })
    const session = policy.start(task)
    await session.next(null, never)
    await session.next(told, never)
    current = 'step-2'
    await session.next(told, never)
    const { calls, segments } = session.trace!()
    t.same(calls.map(call => call.policy_version), ['step-1', 'step-1', 'step-2'])
    t.equal(segments.length, 1)
    const drawn = calls.map(call => call.prompt_tokens! + call.completion_tokens!)
    t.same(segments[0]!.policy_versions, [{ version: 'step-1', tokens: drawn[1] }, { version: 'step-2', tokens: drawn[2]! - drawn[1]! }])
    t.match(recordWith(session.trace!(), policy.version), { policy: { version_start: 'step-1', version_end: 'step-2' } })
  })
}

t.test('a turn that is tried again counts for the weights of the try that was answered', async t => {
  const fake = await openFake(t)
  let asked = 0
  const versions: PolicyVersions = { current: () => `step-${++asked}` }
  fake.fail(status(503))
  t.match(await openClient(t, [fake.url], { ports: { versions } }).ask(askOf(), never), { policyVersion: 'step-2', retries: 1 })
})

t.test('SGLang says its own, which goes before what publishes them', async t => {
  const weights = { version: 'w1' }
  const fake = await openFake(t, { kind: 'sglang', reply: () => ({ content: '<tool: bash>\nls\n</tool>' }), weightVersion: () => weights.version })
  const versions: PolicyVersions = { current: () => 'published' }
  const policy = createLlmPolicy({ server: openClient(t, [fake.url], { protocol: 'sglang', ports: { versions } }), prompts: loadPrompts(), settings: llmDefaults, clock: systemClock, versions })
  const session = policy.start(task)
  await session.next(null, never)
  weights.version = 'w2'
  await session.next(told, never)
  t.match(session.trace!().segments[0]!.policy_versions, [{ version: 'w1' }, { version: 'w2' }])
  t.match(recordWith(session.trace!(), policy.version), { policy: { version_start: 'w1', version_end: 'w2' } })
})

t.test('where nobody says it, the record says that too', async t => {
  const fake = await openFake(t)
  const policy = createLlmPolicy({ server: openClient(t, [fake.url]), prompts: loadPrompts(), settings: llmDefaults, clock: systemClock })
  const session = policy.start(task)
  await session.next(null, never)
  t.equal(session.trace!().calls[0]!.policy_version, 'unversioned')
})
