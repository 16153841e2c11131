// Goal: whoever looks on is told what happened, each thing once, and changes nothing. Method: a session with a policy that speaks by
// a script, and a sandbox that answers at once or is lost.

import t from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { Reply, RolloutTask } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import type { Policy, Sandbox } from '../../src/ports.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { joinWatches, type Asked, type Used } from '../../src/rollout/watch.ts'
import type { ModelCall } from '../../src/workers/codec/tokens.ts'

const bash: Reply = { text: 'I look.', call: { tool: 'bash', command: 'ls' }, fault: null }
const call = (version: string): ModelCall => ({ call_id: version, policy_version: version, prompt_tokens: 10, completion_tokens: 2 }) as ModelCall
type Step = { reply: Reply; call?: ModelCall } | { error: SparError; call?: ModelCall }

function playing (steps: Step[], exec: () => Promise<never> = async () => ({ exitCode: 0, output: Buffer.from('ok'), truncatedBytes: 0, killed: null, durationMs: 1 }) as never) {
  const seen: { asked: Asked[]; used: Used[]; ended: object[] } = { asked: [], used: [], ended: [] }
  const watch = joinWatches([{ rollout: () => ({ asked: asked => { seen.asked.push(asked) }, used: used => { seen.used.push(used) }, ended: outcome => { seen.ended.push(outcome) } }) }])!
    .rollout({ rolloutId: 'e0001.solve.1.0', role: 'solver', delivery: 1, policy: 'm', startedAt: 0 })
  let last: ModelCall | null = null
  const policy: Policy = { name: 'm', version: 'now', start: () => ({
    get lastCall () { return last },
    async next () {
      const step = steps.shift()!
      last = step.call ?? last
      if ('error' in step) throw step.error
      return step.reply
    },
    close: async () => {}
  }) }
  const sandbox = { id: 's', kind: 'process', isolation: 'none', tree: '/t', scratch: '/s', exec, destroy: async () => {} } as unknown as Sandbox
  const session = createRolloutSession({ policy, task: { role: 'solver', turnsMax: 9, tokensMax: 999 } as RolloutTask, limits: toolLimits, clock: systemClock, open: async () => sandbox, collect: async () => ({ refused: 'the tree is as it was' }), watch })
  return { seen, session, spent: { turns: 1, tokens: 1 }, signal: new AbortController().signal }
}

t.test('turns and tools are told as they were, a model\'s call with the turn that cost it', async t => {
  const { seen, session, spent, signal } = playing([{ reply: bash, call: call('7') }, { reply: { text: '', call: null, fault: 'too long', ends: true } }, { reply: { text: '', call: { tool: 'submit', paths: null }, fault: null }, call: call('8') }])
  await session.open(signal)
  await session.ask(spent, signal)
  await session.act(spent, signal)
  await session.ask(spent, signal)
  await session.ask(spent, signal)
  await session.collect(spent)
  await session.close()
  t.match(seen.asked, [
    { turn: 1, reply: bash, call: { call_id: '7' }, version: '7', error: null },
    { turn: 2, call: null, version: 'now' },
    { turn: 3, call: { call_id: '8' }, version: '8' }
  ])
  t.match(seen.used, [{ turn: 1, call: { tool: 'bash' }, result: { exitCode: 0 }, error: null }, { turn: 3, call: { tool: 'submit' }, result: { exitCode: 1 }, error: null }])
})

t.test('what could not be done is told, and thrown as it was', async t => {
  const down = new SparError('SERVER_DOWN', 'nobody answers', { retryable: true })
  const lost = new SparError('SANDBOX_LOST', 'it is gone', { retryable: true })
  const { seen, session, spent, signal } = playing([{ reply: bash }, { error: down, call: call('7') }, { error: down }], async () => { throw lost })
  await session.open(signal)
  await session.ask(spent, signal)
  await t.rejects(session.act(spent, signal), lost)
  await t.rejects(session.ask(spent, signal), down)
  await t.rejects(session.ask(spent, AbortSignal.abort()), down)
  await session.close()
  t.match(seen.used, [{ result: null, error: { code: 'SANDBOX_LOST' } }])
  t.match(seen.asked.slice(1), [{ reply: null, call: { call_id: '7' }, error: { code: 'SERVER_DOWN' } }, { reply: null, call: null, error: { code: 'CANCELLED' } }])
})
