// Goal: where what is said is kept changes nothing but the memory. Method: the same rollout of a model, with long results, in the
// heap and in the file: the requests, the record and the tokens are the same, and pages are given back however it ends.

import t from 'tap'
import { playRollout } from '../../actors/rollout.ts'
import { systemClock } from '../../src/clock.ts'
import type { RolloutTask } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { createLlmPolicy, llmDefaults } from '../../src/policy/llm/policy.ts'
import { loadPrompts } from '../../src/policy/llm/prompts.ts'
import type { Sandbox } from '../../src/ports.ts'
import { recordOf } from '../../src/rollout/record.ts'
import { createRolloutSession, type RolloutSession } from '../../src/rollout/session.ts'
import { createSpill, type Spill } from '../../src/rollout/spill.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { status } from '../helpers/fake-server/faults.ts'
import { openClient, openFake, ways } from '../helpers/servers-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const task: RolloutTask = { role: 'solver', oraclePatch: `+${'x'.repeat(5000)}\n`, rolloutId: 'e0001.solve.1.0', seed: 1, tree: '', scratch: '', testCommand: null, turnsMax: 9, tokensMax: 1_000_000, commandMsMax: 1000 }
const deadlines = { openMsMax: 5000, askMsMax: 60_000, actMsMax: 5000, collectMsMax: 5000 }

/** Every command prints 20,000 characters of its own. */
function sandboxOf (onExec: () => void): Sandbox {
  let commands = 0
  return {
    id: 's', kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch',
    exec: async () => {
      onExec()
      return { exitCode: 0, output: Buffer.from(`${commands++} grüße 🦔\n`.repeat(1200)), truncatedBytes: 0, killed: null, durationMs: 0 }
    },
    readFile: async () => Buffer.alloc(0), writeFile: async () => {}, destroy: async () => {}
  }
}

/** Time is told to the model. */
const still = { ...systemClock, now: () => 0 }

const sessionOf = (policy: ReturnType<typeof createLlmPolicy>, onExec = (): void => {}): RolloutSession<Uint8Array> => createRolloutSession({
  policy, task, limits: toolLimits, clock: still, open: async () => sandboxOf(onExec), collect: async () => ({ kept: new Uint8Array(1) })
})

const turns = ['<tool: bash>\nls\n</tool>', 'I wonder.', `<tool: create>\na.txt\n${'long line\n'.repeat(500)}</tool>`, '<tool: bash>\ncat a.txt\n</tool>', '<tool: submit>\n</tool>']
const reply = (conversation: readonly { role: string }[]): { content: string } => ({ content: turns[conversation.filter(({ role }) => role === 'assistant').length]! })

for (const way of ways.filter(({ options }) => options.stream !== true)) {
  t.test(`${way.name}: the same in the file as in the heap`, async t => {
    const play = async (spill: Spill | null): Promise<{ asked: unknown[]; record: unknown; used: number }> => {
      const fake = await openFake(t, { ...way.fake, reply, contextTokensMax: 1_000_000 })
      const policy = createLlmPolicy({ server: openClient(t, [fake.url], way.options), prompts: loadPrompts(), settings: llmDefaults, clock: still, spill })
      let used = 0
      const session = sessionOf(policy, () => { used = Math.max(used, spill?.used ?? 0) })
      t.match(await playRollout('solver', session, { rolloutId: task.rolloutId, turnsMax: 9, tokensMax: 1_000_000, ...deadlines }, new AbortController().signal), { kind: 'submitted', turns: 5 })
      const record = recordOf({
        run: 'r', episodeId: 'e0001', roundId: 'removal.1', arena: { id: null, image: null }, bug: { id: null, order: 1, parent: null }, rolloutId: task.rolloutId, role: 'solver', groupId: 'g', member: 0, delivery: 1,
        policy, session, outcome: 'scored', startedAt: 0, endedAt: 1
      })
      return { asked: fake.turns.map(({ body }) => body), record: { ...record, calls: record.calls.map(call => ({ ...call, endpoint: '', started_at: 0, ended_at: 0 })) }, used }
    }
    const spill = createSpill(testFolder(t))
    t.teardown(() => spill.close())
    const [inHeap, inFile] = [await play(null), await play(spill)]
    t.ok(inFile.used > 0, 'the file was used')
    t.equal(spill.used, 0, 'its pages are given back')
    t.strictSame(inFile.asked, inHeap.asked)
    t.strictSame(inFile.record, inHeap.record)
  })
}

t.test('pages are given back where a server fails, a sandbox is lost, or the rollout is cancelled', async t => {
  const spill = createSpill(testFolder(t))
  t.teardown(() => spill.close())
  const cancelling = new AbortController()
  const cases: [string, string, (fake: Awaited<ReturnType<typeof openFake>>) => () => void][] = [
    ['server', 'infra_fault', fake => () => { fake.failAll(status(503)) }],
    ['sandbox', 'infra_fault', () => () => { throw new SparError('SANDBOX_LOST', 'gone', { retryable: true }) }],
    ['cancel', 'cancelled', () => () => { cancelling.abort() }]
  ]
  for (const [name, kind, breaks] of cases) {
    const fake = await openFake(t, { reply, contextTokensMax: 1_000_000 })
    const policy = createLlmPolicy({ server: openClient(t, [fake.url]), prompts: loadPrompts(), settings: llmDefaults, clock: systemClock, spill })
    const session = sessionOf(policy, breaks(fake))
    t.match(await playRollout('solver', session, { rolloutId: task.rolloutId, turnsMax: 9, tokensMax: 1_000_000, ...deadlines }, cancelling.signal), { kind }, name)
    t.equal(spill.used, 0, name)
    t.ok(session.turns.length > 0, 'how many turns there were is known')
  }
})
