// The rollout as a table: events in, states and outcome out. Nothing runs.

import t from 'tap'
import { createActor, fromPromise, initialTransition, SimulatedClock, transition, waitFor, type SnapshotFrom } from 'xstate'
import { solver } from '../../machines/solver.ts'
import { malformedMax, type Asked } from '../../machines/rollout.ts'

const input = { rolloutId: 'e0001.solve.1.0', turnsMax: 3, tokensMax: 1000, openMsMax: 10, askMsMax: 20, actMsMax: 30, collectMsMax: 40 }
const done = (id: string, output?: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id }) as never
const broke = (id: string, error: unknown) => ({ type: `xstate.error.actor.${id}`, error, actorId: id }) as never
const asked = (next: string, tokens = 10) => done('ask', { next, tokens, reason: 'because' })
const acted = done('act', { tokens: 5 })
const opened = done('open')

function play (...events: never[]): { states: unknown[]; last: SnapshotFrom<typeof solver> } {
  let [snapshot] = initialTransition(solver, input)
  const states: unknown[] = [snapshot.value]
  for (const event of events) {
    ;[snapshot] = transition(solver, snapshot, event)
    states.push(snapshot.value)
  }
  return { states, last: snapshot }
}

t.test('a rollout asks and acts until it submits', async t => {
  const { states, last } = play(opened, asked('act'), acted, asked('submit'), done('collect', { accepted: true, tokens: 1 }))
  t.strictSame(states, ['opening', 'asking', 'acting', 'asking', 'collecting', 'done'])
  t.strictSame(last.output, { kind: 'submitted', turns: 2 })
})

t.test('a submit that is refused is told to the policy, which may submit again', async t => {
  const { states } = play(opened, asked('submit'), done('collect', { accepted: false, tokens: 1 }), asked('submit'), done('collect', { accepted: true, tokens: 1 }))
  t.strictSame(states, ['opening', 'asking', 'collecting', 'asking', 'collecting', 'done'])
})

t.test('what the policy does wrong is a policy fault, what we do wrong an infrastructure fault', async t => {
  const lost = { code: 'SANDBOX_LOST', message: 'gone' }
  const rows: [string, never[], object][] = [
    ['turns spent', [opened, asked('act'), acted, asked('act'), acted, asked('act'), acted], { kind: 'policy_fault', reason: /budget/, turns: 3 }],
    ['tokens spent', [opened, asked('act', 990), done('act', { tokens: 20 })], { kind: 'policy_fault', reason: /budget/ }],
    ['gives up', [opened, asked('giveUp')], { kind: 'policy_fault', reason: 'because', turns: 1 }],
    ['no tool call again and again', [opened, ...Array.from({ length: malformedMax }, () => asked('malformed'))], { kind: 'policy_fault', reason: /no usable tool call/ }],
    ['the sandbox cannot open', [broke('open', lost)], { kind: 'infra_fault', code: 'SANDBOX_LOST', turns: 0 }],
    ['the policy is unreachable', [opened, broke('ask', new Error('ECONNREFUSED'))], { kind: 'infra_fault', code: 'DEFECT' }],
    ['the sandbox dies under a command', [opened, asked('act'), broke('act', lost)], { kind: 'infra_fault', code: 'SANDBOX_LOST', turns: 1 }],
    ['the submit cannot be read', [opened, asked('submit'), broke('collect', lost)], { kind: 'infra_fault', code: 'SANDBOX_LOST' }],
    ['cancelled', [opened, asked('act'), { type: 'rollout.cancel' } as never], { kind: 'cancelled', turns: 1 }]
  ]
  for (const [name, events, outcome] of rows) t.match(play(...events).last.output, outcome, name)
})

t.test('every state has a deadline of ours, and passing it is never the policy\'s fault', async t => {
  const clock = new SimulatedClock()
  const never = (): Promise<never> => new Promise(() => {})
  for (const [state, ms, stuck] of [['opening', 10, 'open'], ['asking', 20, 'ask'], ['acting', 30, 'act'], ['collecting', 40, 'collect']] as const) {
    const first = stuck === 'collect' ? 'submit' : 'act'
    const logic = solver.provide({
      actors: {
        open: fromPromise<void, { rolloutId: string }>(() => stuck === 'open' ? never() : Promise.resolve()),
        ask: fromPromise<Asked, { turns: number; tokens: number }>(async () => stuck === 'ask' ? await never() : { next: first, tokens: 1, reason: '' }),
        act: fromPromise<{ tokens: number }, { turns: number; tokens: number }>(never),
        collect: fromPromise<{ accepted: boolean; tokens: number }, { turns: number; tokens: number }>(never)
      }
    })
    const actor = createActor(logic, { clock, input }).start()
    await waitFor(actor, snapshot => snapshot.matches(state))
    clock.increment(ms)
    t.match(actor.getSnapshot().output, { kind: 'infra_fault', code: /TIMEOUT$/ }, state)
  }
})
