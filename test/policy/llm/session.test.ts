// A rollout of a model against a server that plays a script, turn by turn: what the model is told, what counts as its own
// fault, what is thrown, and what the trace holds.

import t from 'tap'
import { systemClock } from '../../../src/clock.ts'
import type { Observation, RolloutTask } from '../../../src/domain.ts'
import { SparError } from '../../../src/errors.ts'
import { createLlmPolicy, llmDefaults } from '../../../src/policy/llm/policy.ts'
import { loadPrompts, openingOf } from '../../../src/policy/llm/prompts.ts'
import { conversationCharsMax, type LlmSettings } from '../../../src/policy/llm/session.ts'
import type { ListAsk } from '../../helpers/servers-fixture.ts'
import type { Answer, ModelServer } from '../../../src/policy/llm/types.ts'
import type { PolicySession } from '../../../src/ports.ts'
import { testFolder } from '../../helpers/test-folder.ts'

const base = { rolloutId: 'e0001.solve.1.0', seed: 7, tree: '/w/tree', scratch: '/w/scratch', testCommand: null, turnsMax: 9, tokensMax: 5000, commandMsMax: 120_000 }
const solver: RolloutTask = { ...base, role: 'solver', oraclePatch: 'diff --git a/t b/t\n+{{patch}} $& {{tree}}\n' }
const breaker: RolloutTask = { ...base, role: 'breaker', strategy: 'history', params: { minPassing: 11, minFiles: 2, minFailing: 3 }, testCommand: 'make check' }
const signal = new AbortController().signal

type Reply = Partial<Answer> | SparError

/** One token a character; what it was asked is kept. */
function scripted (replies: Reply[]): ModelServer & { asked: ListAsk[] } {
  const asked: ListAsk[] = []
  const tokensOf = (text: string): number[] => [...text].map(character => character.codePointAt(0)!)
  return {
    asked, name: 'scripted', model: 'tiny', nativeTools: true,
    async ask (ask) {
      asked.push({ ...ask, messages: ask.messages.slice(), tokensSoFar: ask.tokensSoFar?.slice() ?? null })
      const reply = replies[asked.length - 1]!
      if (reply instanceof SparError) throw reply
      const text = reply.text ?? ''
      const fresh = tokensOf(ask.messages.slice(ask.messagesSoFar).map(message => message.content).join(''))
      const promptTokenIds = Int32Array.from([...(ask.tokensSoFar ?? []), ...fresh])
      const completionTokenIds = Int32Array.from(tokensOf(text))
      return {
        text, toolCalls: [], finishReason: 'stop', promptTokenIds, completionTokenIds, completionLogprobs: Float32Array.from(completionTokenIds, () => -0.5),
        promptTokens: promptTokenIds.length, completionTokens: completionTokenIds.length, cachedTokens: 0, policyVersion: 'w1', endpoint: 'e', model: 'tiny', logprobsMode: 'raw_logprobs', untrainable: null,
        startedAt: 0, endedAt: 1, retries: 0, ...reply
      }
    },
    check: async () => ({ contextTokensMax: 5000, down: [] }),
    close: async () => {}
  }
}

let now = 0
const clock = { ...systemClock, now: () => now, sleep: async () => {} }
const start = (server: ModelServer, task: RolloutTask = solver, settings: Partial<LlmSettings> = {}): PolicySession =>
  createLlmPolicy({ server, prompts: loadPrompts(), settings: { ...llmDefaults, ...settings }, clock }).start(task)
const seen = (more: Partial<Observation> = {}): Observation => ({ exitCode: 0, text: 'a.js\n', truncatedBytes: 0, timedOut: false, turnsLeft: 8, tokensLeft: 4000, ...more })

const ls = '<tool: bash>\nls\n</tool>'

t.test('the opening says the task, and nothing in it is filled in twice', async t => {
  const prompts = loadPrompts()
  const forSolver = openingOf(prompts, solver, 'text')
  t.match(forSolver.user, 'I am improving the test suite')
  t.match(forSolver.user, '+{{patch}} $& {{tree}}', 'braces and dollars of a patch stay')
  t.match(forSolver.system, '<tool: submit>\n</tool>')
  t.notMatch(openingOf(prompts, solver, 'native').system, '<tool:')
  const forBreaker = openingOf(prompts, breaker, 'text')
  for (const part of ['at least 11 passing', 'at least 2 code file', 'At least 3 test', 'make check', 'git log -L', '/w/scratch']) t.ok(forBreaker.user.includes(part), part)
  t.notMatch(forBreaker.system + forBreaker.user, /\{\{|undefined/)
})

t.test('a user\'s own prompts take the place of ours, and may not name what is not given', async t => {
  const folder = testFolder(t, { good: { 'direct.md': 'Be careful.' }, bad: { 'solver.md': '{{problem}} {{tests}}' } })
  t.equal(loadPrompts(`${folder}/good`).direct, 'Be careful.')
  t.throws(() => loadPrompts(`${folder}/bad`), { code: 'PROMPT_INVALID', message: /\{\{tests\}\}.*\{\{problem\}\}/ })
})

t.test('a conversation goes on from its tokens, and the trace is what the server saw', async t => {
  const server = scripted([{ text: ls }, { text: '<tool: submit>\n</tool>' }])
  const session = start(server)
  t.match(await session.next(null, signal), { call: { tool: 'bash', command: 'ls' }, fault: null })
  const second = await session.next(seen(), signal)
  t.match(second, { call: { tool: 'submit' } })
  const [first, then] = server.asked as [ListAsk, ListAsk]
  t.match(first, { tokensSoFar: null, messagesSoFar: 0, tools: null, conversation: base.rolloutId, sampling: { seed: 7, maxTokens: 5000 } })
  t.match(then, { messagesSoFar: 3, sampling: { seed: 8, maxTokens: 4000 } })
  t.match(then.messages.at(-1), { role: 'user', content: /^a\.js\n\[exit code 0; left: 8 turns, 4000 tokens, 1800 s of commands\]$/ })
  const { calls, segments, untrainable } = session.trace!()
  t.equal(untrainable, null)
  t.equal(segments.length, 1)
  t.equal(second.contextTokens, segments[0]!.token_ids.length)
  t.strictSame([...segments[0]!.token_ids.subarray(0, then.tokensSoFar!.length)], [...then.tokensSoFar!])
  t.match(calls, [{ segment: 0, policy_version: 'w1', finish_reason: 'stop' }, { segment: 0, prompt_tokens: segments[0]!.token_ids.length - '<tool: submit>\n</tool>'.length }])
})

t.test('native calls are answered as such, all of them when there were too many', async t => {
  const call = (id: string): Answer['toolCalls'][number] => ({ id, name: 'bash', arguments: '{"command":"ls"}' })
  const server = scripted([{ toolCalls: [call('x')], finishReason: 'tool_calls' }, { toolCalls: [call('y'), call('z')] }, { text: 'hm' }])
  const session = start(server, solver, { tools: 'native' })
  t.match(await session.next(null, signal), { call: { tool: 'bash' } })
  t.match(await session.next(seen(), signal), { call: null, fault: /called 2 tools/ })
  await session.next(seen({ exitCode: 1, text: 'No tool was called: …' }), signal)
  t.equal(server.asked[0]!.tools!.length, 4)
  t.match(server.asked[2]!.messages.slice(-5), [{ role: 'assistant' }, { role: 'tool', toolCallId: 'x' }, { role: 'assistant' }, { role: 'tool', toolCallId: 'y' }, { role: 'tool', toolCallId: 'z' }])
})

t.test('what the model does wrong is its own fault, and typed', async t => {
  const cases: [string, Reply, Partial<LlmSettings>, object][] = [
    ['prose is answered', { text: 'I am done.' }, {}, { call: null, fault: /called no tool/ }],
    ['or ends the rollout, by option', { text: 'I am done.' }, { formatErrors: 'end' }, { call: null, ends: true }],
    ['a reply that never ends', { text: '<tool: bash>\nls ls ls', finishReason: 'length' }, {}, { call: null, fault: /cut off at its limit of tokens/ }],
    ['a refusal', { text: '', finishReason: 'refused' }, {}, { ends: true, fault: /refused/ }],
    ['a full context', new SparError('CONTEXT_EXHAUSTED', 'too long'), {}, { ends: true, fault: /context/ }]
  ]
  for (const [name, reply, settings, wanted] of cases) t.match(await start(scripted([reply]), solver, settings).next(null, signal), wanted, name)
})

t.test('what the server does wrong is thrown, and kept in the trace', async t => {
  for (const code of ['SERVER_DOWN', 'SERVER_BUSY', 'SERVER_ERROR', 'SERVER_ABORTED', 'SERVER_TIMEOUT', 'SERVER_PROTOCOL']) {
    const session = start(scripted([new SparError(code, 'Cannot ask the server', { retryable: true })]))
    await t.rejects(session.next(null, signal), { code })
    t.match(session.trace!(), { calls: [{ error: { code } }], segments: [], untrainable: 'no call was answered' })
  }
})

t.test('commands have a time of their own; waiting for the server does not count', async t => {
  const server = scripted([{ text: ls }, { text: ls }, { text: ls }])
  const session = start(server, solver, { commandsMsMax: 10_000 })
  await session.next(null, signal)
  now += 6000
  t.match(await session.next(seen(), signal), { call: { tool: 'bash' } })
  t.match(server.asked[1]!.messages.at(-1)!.content, / 4 s of commands/)
  now += 6000
  t.match(await session.next(seen(), signal), { ends: true, fault: /more than 10 s/ })
})

t.test('a conversation that no request could carry ends the rollout, as a full context does', async t => {
  const session = start(scripted([{ text: ls }, { text: ls }]))
  await session.next(null, signal)
  t.match(await session.next(seen({ text: 'x'.repeat(conversationCharsMax / 2) }), signal), { call: { tool: 'bash' } })
  t.match(await session.next(seen({ text: 'x'.repeat(conversationCharsMax / 2) }), signal), { call: null, ends: true, fault: /more than 33554432 characters/ })
})

t.test('a record that cannot be trained on says why', async t => {
  const reason = async (reply: Partial<Answer>): Promise<string | null> => {
    const session = start(scripted([{ text: ls, ...reply }]))
    await session.next(null, signal)
    return session.trace!().untrainable
  }
  t.match(await reason({ promptTokenIds: null }), /token ids/)
  t.match(await reason({ completionLogprobs: null }), /logprobs/)
  t.equal(await reason({ untrainable: 'the server samples with top_p 0.9 and gives processed logprobs' }), 'the server samples with top_p 0.9 and gives processed logprobs')
})
