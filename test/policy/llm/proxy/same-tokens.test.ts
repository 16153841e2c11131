// Goal: the same conversation through the proxy and natively gives the same tokens, whatever dialect the agent speaks.
// Method: a rollout of ours is played against a fake server; then agents that know nothing but their own dialect are told the
// same things, and what the server was asked, and the traces, are held against each other. Random conversations, with texts
// and arguments that formats like to change.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { systemClock } from '../../../../src/clock.ts'
import type { RolloutTask } from '../../../../src/domain.ts'
import { createLlmPolicy, llmDefaults } from '../../../../src/policy/llm/policy.ts'
import { loadPrompts, openingOf } from '../../../../src/policy/llm/prompts.ts'
import { toolSchemas } from '../../../../src/policy/llm/tools.ts'
import type { PolicyTrace } from '../../../../src/ports.ts'
import type { FakeServer } from '../../../helpers/fake-server.ts'
import { agents, openProxy, untidy, type Agent, type AgentOptions, type Fields, type Heard } from '../../../helpers/proxy-fixture.ts'
import { never, openClient, openFake, ways } from '../../../helpers/servers-fixture.ts'

interface Reply { content: string; toolCalls?: { name: string; arguments: string }[] }
/** `tokensLeft`: what a turn may draw, where that is less than it says. */
interface Script { replies: Reply[]; results: string[]; tokensLeft?: number[] }

const task: RolloutTask = { rolloutId: 'e0001.solve.1.0', seed: 7, tree: '/w/tree', scratch: '/w/scratch', testCommand: null, turnsMax: 9, tokensMax: 100_000, commandMsMax: 120_000, role: 'solver', oraclePatch: 'diff --git a/t b/t\n' }
const prompts = loadPrompts()

/** The rollout as Spar plays it; its commands take no time, which it would tell the model. */
async function playNatively (t: Test, fake: FakeServer, options: (typeof ways)[number]['options'], tools: 'native' | 'text', { results, tokensLeft = [] }: Script): Promise<PolicyTrace> {
  const session = createLlmPolicy({ server: openClient(t, [fake.url], options), prompts, settings: { ...llmDefaults, tools }, clock: { ...systemClock, now: () => 0 } }).start(task)
  await session.next(null, never)
  for (const [index, text] of results.entries()) await session.next({ exitCode: 0, text, truncatedBytes: 0, timedOut: false, turnsLeft: 8, tokensLeft: tokensLeft[index] ?? 20_000 - text.length }, never)
  return session.trace!()
}

/** What an agent would be told where the rollout was told this: read off the requests that the server got. */
function toldOf (bodies: Fields[]): string[] {
  return bodies.slice(1).map((body, index) => {
    const fresh = (body['messages'] as Fields[]).slice((bodies[index]!['messages'] as Fields[]).length + 1)
    return fresh[0]!['content'] as string
  })
}

const wordless = (trace: Pick<PolicyTrace, 'calls' | 'segments' | 'untrainable'>): object => ({
  calls: trace.calls.map(({ started_at: _, ended_at: __, endpoint: ___, ...call }) => call),
  segments: trace.segments.map(segment => ({ ...segment, token_ids: [...segment.token_ids], mask: [...segment.mask], logprobs: segment.logprobs && [...segment.logprobs] })),
  untrainable: trace.untrainable
})

const kinds: [string, (options: AgentOptions) => Agent, boolean][] = [
  ...(['chat', 'responses', 'messages'] as const).flatMap(name => [false, true].map((stream): [string, (options: AgentOptions) => Agent, boolean] => [`${name}${stream ? ' in events' : ''}`, agents[name], stream])),
  ['chat, sent back untidily', untidy, false]
]

const scripted = (): { reply: (conversation: readonly { role: string }[]) => Reply; script: Script } => {
  const holder = { script: { replies: [], results: [] } as Script, reply: (conversation: readonly { role: string }[]) => holder.script.replies[conversation.filter(message => message.role === 'assistant').length]! }
  return holder
}

const words = fc.oneof(fc.string({ maxLength: 12, unit: 'grapheme' }), fc.constantFrom('', ' ', '\n\nTrailing \n', '{"a": 1}', 'data: [DONE]\n\n', 'ß🦔', '"\\u0000'))
const json = fc.oneof(fc.json({ maxDepth: 2 }).filter(text => text.startsWith('{')), fc.constantFrom('{"command": "ls"}', '{ "command" :\t"ls -la \\u00df" , "n": 1.50 }', '{"a":1,"a":2}', '', '{"command": "ls', '[1]', '"text"', '1e3'))
const reply: fc.Arbitrary<Reply> = fc.record({ content: words, toolCalls: fc.array(fc.record({ name: fc.constantFrom('bash', 'edit', 'no-such-tool'), arguments: json }), { maxLength: 2 }) })

t.test('with tools', async t => {
  const holder = scripted()
  const fake = await openFake(t, { kind: 'vllm', reply: conversation => holder.reply(conversation), contextTokensMax: 500_000 })
  const { base, finish } = await openProxy(t, fake)
  const opening = openingOf(prompts, task, 'native')
  let attempts = 0

  for (const [name, createAgent, stream] of kinds) {
    await t.test(name, async t => {
      await fc.assert(fc.asyncProperty(fc.array(fc.tuple(reply, words), { minLength: 1, maxLength: 4 }), async turns => {
        holder.script = { replies: turns.map(([said]) => said), results: turns.slice(1).map(([, result]) => result) }
        fake.turns.length = 0
        const native = await playNatively(t, fake, { protocol: 'openai', flavour: 'vllm' }, 'native', holder.script)
        const asked = fake.turns.splice(0).map(({ body }) => body)
        const told = toldOf(asked)
        const attempt = ++attempts
        const agent = createAgent({ base: base(task.rolloutId, attempt), ...opening, tools: toolSchemas('solver'), stream })
        const heard: Heard[] = []
        for (const [index, body] of asked.entries()) {
          heard.push(await agent.turn(body['max_tokens'] as number))
          if (index < told.length) agent.tell(told[index]!)
        }
        const record = await finish(task.rolloutId, attempt)
        assert.deepEqual(fake.turns.map(({ body }) => body), asked, 'the server is asked the same, to the byte')
        assert.deepEqual(wordless(record), wordless(native), 'and the traces are the same')
        assert.deepEqual(heard.map(({ text }) => text), holder.script.replies.map(({ content }) => content), 'and the agent hears what was said')
        assert.deepEqual(heard.map(({ calls }) => calls.map(({ name }) => name)), holder.script.replies.map(({ toolCalls = [] }) => toolCalls.map(({ name }) => name)))
        const ids = heard.flatMap(({ calls }) => calls.map(({ id }) => id))
        assert.equal(new Set(ids).size, ids.length, 'no id is given twice, though the server does')
        assert.deepEqual(heard.map(({ usage }) => usage), native.calls.map(call => [call.prompt_tokens, call.completion_tokens]))
      }), { numRuns: 10, endOnFailure: true })
    })
  }
})

t.test('in text, whatever the server speaks', async t => {
  for (const way of ways) {
    const holder = scripted()
    const fake = await openFake(t, { ...way.fake, reply: conversation => holder.reply(conversation), contextTokensMax: 500_000 })
    holder.script = { replies: [{ content: 'I look.\n<tool: bash>\nls\n</tool>' }, { content: '' }, { content: 'Grüße 🦔\n' }, { content: 'Done.' }], results: ['a.js\n', '', 'b.js'], tokensLeft: [19_995, 3] }
    const native = await playNatively(t, fake, way.options, 'text', holder.script)
    const opening = openingOf(prompts, task, 'text')
    const { base, finish } = await openProxy(t, fake, { client: way.options, settings: { sampling: llmDefaults.sampling, seed: 7, version: 'unversioned' } })
    for (const [index, [name, createAgent, stream]] of kinds.filter(([, agent]) => agent !== untidy).entries()) {
      const agent = createAgent({ base: base(task.rolloutId, index + 1), ...opening, tools: null, stream })
      for (const [turn, text] of [...holder.script.results, null].entries()) {
        await agent.turn(native.calls[turn]!.sampling.max_tokens!)
        if (text !== null) agent.tell(`${text}${text === '' || text.endsWith('\n') ? '' : '\n'}[exit code 0; left: 8 turns, ${holder.script.tokensLeft![turn] ?? 20_000 - text.length} tokens, 1800 s of commands]`)
      }
      const record = await finish(task.rolloutId, index + 1)
      t.strictSame(wordless(record), wordless(native), `${way.name}: ${name}`)
      t.equal(record.untrainable === null, way.givesTokens)
      // A character that was cut in its middle is encoded in another way by a server that takes text. One that takes tokens is
      // given what was drawn.
      t.strictSame(record.segments.map(segment => segment.break_reason), !way.givesTokens ? [] : way.options.protocol === 'openai' ? ['retokenised', null] : [null])
    }
  }
})

t.test('agents at the same time in one attempt: each conversation has the tokens that it has alone', async t => {
  const fake = await openFake(t, { reply: conversation => ({ content: `Answer ${conversation.length} to ${conversation[1]!.content}`, toolCalls: [{ name: 'bash', arguments: '{"command": "ls"}' }] }) })
  const { base, finish } = await openProxy(t, fake)
  const talk = async (name: keyof typeof agents, attempt: number): Promise<void> => {
    const agent = agents[name]({ base: base('r1', attempt), system: 'Be short.', user: `the task of ${name}`, tools: toolSchemas('solver'), stream: name !== 'chat' })
    for (let turn = 0; turn < 4; turn++) {
      await agent.turn(200)
      agent.tell(`result ${turn}`)
    }
  }
  const names = ['chat', 'responses', 'messages'] as const
  await Promise.all(names.map(name => talk(name, 1)))
  const together = await finish('r1', 1)
  t.equal(together.calls.length, 12)
  t.strictSame(together.segments.map(segment => [segment.call_ids.length, segment.break_reason]), [[4, 'conversation'], [4, 'conversation'], [4, null]])
  const bare = (record: typeof together): string[] => record.segments.map(({ token_ids: ids, mask, logprobs }) => JSON.stringify([[...ids], [...mask], [...logprobs!]]))
  const alone: string[] = []
  for (const [index, name] of names.entries()) {
    await talk(name, index + 2)
    alone.push(...bare(await finish('r1', index + 2)))
  }
  t.strictSame(bare(together).sort(), alone.sort())
})
