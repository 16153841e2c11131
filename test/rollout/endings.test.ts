// Goal: however a rollout of a model ends, the ending is the one of the table in docs/models.md: the model's own fault, which is scored,
// or infrastructure, which never is. Method: a row each, through the machine, the session and the client, against a server that plays
// the row; the text protocol and native calls where that makes a difference.

import t, { type Test } from 'tap'
import { playRollout } from '../../actors/rollout.ts'
import type { RolloutOutcome } from '../../machines/rollout.ts'
import { systemClock } from '../../src/clock.ts'
import type { RolloutTask } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { createLlmPolicy, llmDefaults } from '../../src/policy/llm/policy.ts'
import { loadPrompts } from '../../src/policy/llm/prompts.ts'
import type { LlmSettings } from '../../src/policy/llm/session.ts'
import type { Sandbox } from '../../src/ports.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import type { FakeServer, FakeServerOptions } from '../helpers/fake-server.ts'
import { status } from '../helpers/fake-server/faults.ts'
import { openClient, openFake, quick } from '../helpers/servers-fixture.ts'

const text = (tool: string, body = ''): { content: string } => ({ content: `I go on.\n<tool: ${tool}>\n${body}\n</tool>` })
const native = (name: string, args: unknown = {}): { content: string; toolCalls: { name: string; arguments: string }[] } => ({ content: '', toolCalls: [{ name, arguments: typeof args === 'string' ? args : JSON.stringify(args) }] })
const submit = text('submit')
const list = text('bash', 'ls')

interface Row {
  name: string
  ends: object
  /** Replies by turn; the last one is repeated. */
  says?: ReturnType<NonNullable<FakeServerOptions['reply']>>[]
  settings?: Partial<LlmSettings>
  fake?: FakeServerOptions
  budget?: { turnsMax?: number; tokensMax?: number }
  /** Milliseconds that the clock says of each command. */
  commandMs?: number
  exec?: () => Promise<never>
  breaks?: (fake: FakeServer) => unknown
  patch?: Uint8Array
  turnMsMax?: number
}

const own = (reason: RegExp | string): object => ({ kind: 'policy_fault', reason })
const ours = (code: string): object => ({ kind: 'infra_fault', code })

const rows: Row[] = [
  { name: 'submitted', says: [list, submit], ends: { kind: 'submitted', turns: 2 } },
  { name: 'an empty patch is submitted: the grade says what it is worth', says: [submit], patch: new Uint8Array(0), ends: { kind: 'submitted' } },
  { name: 'turns are spent without a submit', says: [list], budget: { turnsMax: 3 }, ends: { ...own('budget spent without a submit'), turns: 3 } },
  { name: 'tokens are spent without a submit', says: [list], budget: { tokensMax: 4000 }, ends: own('budget spent without a submit') },
  { name: 'no call, three times', says: [{ content: 'I am done.' }], ends: own(/no usable tool call 3 times in a row: the reply called no tool/) },
  { name: 'two calls, three times', says: [{ content: `${list.content}\n${list.content}` }], ends: own(/more than one tool/) },
  { name: 'an unknown tool, three times', says: [text('python', '1')], ends: own(/no tool "python"/) },
  { name: 'broken arguments, three times', says: [native('bash', '{"command": "ls')], settings: { tools: 'native' }, ends: own(/are no JSON/) },
  { name: 'two native calls, three times', says: [{ content: '', toolCalls: [...native('bash', { command: 'ls' }).toolCalls, ...native('submit').toolCalls] }], settings: { tools: 'native' }, ends: own(/called 2 tools/) },
  { name: 'cut off at its limit, three times', says: [text('bash', 'x'.repeat(500))], settings: { sampling: { ...llmDefaults.sampling, maxTokens: 50 } }, ends: own(/cut off at its limit of tokens/) },
  { name: 'a usable call in between begins the count anew', says: [{ content: 'hm' }, { content: 'hm' }, list, { content: 'hm' }, { content: 'hm' }, submit], ends: { kind: 'submitted', turns: 6 } },
  { name: 'by option the first format error ends it', says: [{ content: 'hm' }], settings: { formatErrors: 'end' }, ends: { ...own(/called no tool/), turns: 1 } },
  { name: 'the conversation does not fit the context of the model', says: [list], fake: { contextTokensMax: 3000 }, ends: own(/does not fit the context of the model/) },
  { name: 'the filter of the server refused', says: [submit], breaks: fake => fake.fail({ kind: 'filtered' }), ends: own(/filter refused/) },
  { name: 'commands took too long together', says: [list], commandMs: 400, settings: { commandsMsMax: 1000 }, ends: own(/more than 1 s together/) },
  { name: 'nobody listens', breaks: fake => fake.down(), ends: ours('SERVER_DOWN') },
  { name: '429', breaks: fake => fake.failAll(status(429)), ends: ours('SERVER_BUSY') },
  { name: '5xx', breaks: fake => fake.failAll(status(502)), ends: ours('SERVER_ERROR') },
  { name: 'a connection that breaks in the middle', breaks: fake => fake.failAll({ kind: 'cut' }), ends: ours('SERVER_ERROR') },
  { name: 'an answer that is no JSON', breaks: fake => fake.failAll({ kind: 'truncated' }), ends: ours('SERVER_PROTOCOL') },
  { name: 'a finish reason that nobody knows', breaks: fake => fake.failAll({ kind: 'finish', reason: 'x' }), ends: ours('SERVER_PROTOCOL') },
  { name: 'aborted: never a stop', says: [submit], breaks: fake => fake.failAll({ kind: 'abort' }), ends: ours('SERVER_ABORTED') },
  { name: 'a deadline of ours for the turn', breaks: fake => fake.failAll({ kind: 'hang' }), turnMsMax: 60, ends: ours('SERVER_TIMEOUT') },
  { name: '400', breaks: fake => fake.failAll(status(400)), ends: ours('SERVER_REFUSED') },
  { name: '401', breaks: fake => fake.failAll(status(401)), ends: ours('SERVER_REFUSED') },
  { name: '403', breaks: fake => fake.failAll(status(403)), ends: ours('SERVER_REFUSED') },
  { name: '404', breaks: fake => fake.failAll(status(404)), ends: ours('SERVER_REFUSED') },
  { name: 'the sandbox was lost', says: [list], exec: async () => { throw new SparError('SANDBOX_LOST', 'it is gone', { retryable: true }) }, ends: ours('SANDBOX_LOST') },
  { name: 'one fault on the way is tried again and costs nothing', says: [submit], breaks: fake => fake.fail(status(503), { kind: 'abort' }), ends: { kind: 'submitted', turns: 1 } }
]

async function playRow (t: Test, row: Row): Promise<RolloutOutcome> {
  const { says = [submit], settings = {}, fake: options = {}, budget = {}, commandMs = 0, patch = new Uint8Array(1), turnMsMax = quick.turnMsMax! } = row
  const fake = await openFake(t, { contextTokensMax: 200_000, ...options, reply: conversation => says[Math.min(says.length - 1, conversation.filter(({ role }) => role === 'assistant').length)]! })
  await row.breaks?.(fake)
  let now = 0
  const clock = { ...systemClock, now: () => now }
  const policy = createLlmPolicy({ server: openClient(t, [fake.url], { limits: { turnMsMax } }), prompts: loadPrompts(), settings: { ...llmDefaults, ...settings }, clock })
  const { turnsMax = 20, tokensMax = 200_000 } = budget
  const task: RolloutTask = { role: 'solver', oraclePatch: '+x\n', rolloutId: 'r', seed: 1, tree: '', scratch: '', testCommand: null, turnsMax, tokensMax, commandMsMax: 1000 }
  const sandbox: Sandbox = {
    id: 's', kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch',
    exec: async () => {
      now += commandMs
      return await row.exec?.() ?? { exitCode: 0, output: Buffer.from('a.js\n'.repeat(100)), truncatedBytes: 0, killed: null, durationMs: 0 }
    },
    readFile: async () => new Uint8Array(0), writeFile: async () => {}, destroy: async () => {}
  }
  const session = createRolloutSession({ policy, task, limits: toolLimits, clock, open: async () => sandbox, collect: async () => ({ kept: patch }) })
  return await playRollout('solver', session, { rolloutId: 'r', turnsMax, tokensMax, openMsMax: 5000, askMsMax: 60_000, actMsMax: 5000, collectMsMax: 5000 }, new AbortController().signal)
}

for (const row of rows) t.test(row.name, async t => { t.match(await playRow(t, row), row.ends) })

t.test('a rollout whose turn never ends holds no other', async t => {
  const fake = await openFake(t, { contextTokensMax: 200_000, reply: () => submit })
  fake.fail({ kind: 'hang' })
  const server = openClient(t, [fake.url])
  const policy = createLlmPolicy({ server, prompts: loadPrompts(), settings: llmDefaults, clock: systemClock })
  const cancelling = new AbortController()
  const play = (name: string): Promise<RolloutOutcome> => {
    const session = createRolloutSession({
      policy, task: { role: 'solver', oraclePatch: '+x\n', rolloutId: name, seed: 1, tree: '', scratch: '', testCommand: null, turnsMax: 5, tokensMax: 100_000, commandMsMax: 1000 }, limits: toolLimits, clock: systemClock,
      open: async () => ({ id: name, kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch', exec: async () => { throw new Error('none') }, readFile: async () => new Uint8Array(0), writeFile: async () => {}, destroy: async () => {} }),
      collect: async () => ({ kept: new Uint8Array(1) })
    })
    return playRollout('solver', session, { rolloutId: name, turnsMax: 5, tokensMax: 100_000, openMsMax: 5000, askMsMax: 60_000, actMsMax: 5000, collectMsMax: 5000 }, cancelling.signal)
  }
  const stalled = play('stalled')
  while (fake.turns.length === 0) await new Promise(resolve => fake.events.once('turn', resolve))
  const others = await Promise.all(Array.from({ length: 100 }, (_, index) => play(`other ${index}`)))
  t.ok(others.every(({ kind }) => kind === 'submitted'))
  cancelling.abort()
  t.match(await stalled, { kind: 'cancelled' })
})
