// A machine test is a table: events in, states out. Nothing runs.

import t from 'tap'
import { createActor, initialTransition, transition, type SnapshotFrom } from 'xstate'
import { episode, type Attempted } from '../../machines/episode.ts'

const input = { episodeId: 'e0001', groupSize: 2, orderMax: 2 }
const done = (id: string, output?: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id }) as never
const attempt = (order: number, member: number, solved: boolean | null, outcome: Attempted['outcome'] = 'scored') =>
  done(`attempt.${order}.${member}`, { member, outcome, solved, reason: '' })
const broken = done('break', { kind: 'submitted', bugId: 'bug-1' })
const valid = done('verify', { kind: 'valid' })

function play (events: never[], from = input): { states: unknown[]; last: SnapshotFrom<typeof episode> } {
  let [snapshot] = initialTransition(episode, from)
  const states: unknown[] = [snapshot.value]
  for (const event of events) {
    ;[snapshot] = transition(episode, snapshot, event)
    states.push(snapshot.value)
  }
  return { states, last: snapshot }
}

t.test('a valid bug is solved by the whole group, promoted, solved again and settled', async t => {
  const { states, last } = play([broken, valid, attempt(1, 1, false), attempt(1, 0, true), done('promote', { bugId: 'bug-2' }), done('release'), attempt(2, 0, true), attempt(2, 1, true), done('settle')])
  t.strictSame(states, ['breaking', 'verifying', 'solving', 'solving', 'promoting', 'releasing', 'solving', 'solving', 'settling', 'done'])
  t.match(last.output, { ending: { kind: 'played' }, bugs: [{ bugId: 'bug-1', order: 1 }, { bugId: 'bug-2', order: 2 }] })
  t.strictSame(last.output!.bugs[0]!.attempts.map(({ member, solved }) => [member, solved]), [[0, true], [1, false]], 'attempts stand in the order of members')
})

t.test('without a failed attempt to promote the episode settles after the first order', async t => {
  t.strictSame(play([broken, valid, attempt(1, 0, true), attempt(1, 1, true), done('promote', { bugId: null })]).states.at(-1), 'settling')
  t.strictSame(play([broken, valid, attempt(1, 0, true), attempt(1, 1, true)], { ...input, orderMax: 1 }).states.at(-1), 'settling')
})

t.test('endings without a played bug', async t => {
  const rows: [string, never[], unknown][] = [
    ['the policy gave up', [done('break', { kind: 'fault', outcome: 'policy_fault', reason: 'gave up' })], { kind: 'fault', outcome: 'policy_fault' }],
    ['the breaker was lost to infrastructure', [done('break', { kind: 'fault', outcome: 'infra_fault', reason: 'lost' })], { kind: 'fault', outcome: 'infra_fault' }],
    ['the bug is rejected', [broken, done('verify', { kind: 'rejected', failed: 'bug', reason: 'nothing fails' })], { kind: 'rejected', failed: 'bug' }],
    ['the verdict could not be reached', [broken, done('verify', { kind: 'undecided', outcome: 'infra_fault', reason: 'lost' })], { kind: 'fault', outcome: 'infra_fault' }]
  ]
  for (const [name, events, ending] of rows) {
    const { states, last } = play([...events, done('settle')])
    t.equal(states.at(-2), 'settling', name)
    t.match(last.output!.ending, ending as object, name)
  }
})

t.test('an attempt lost to infrastructure, or by a defect of ours, has no verdict and still ends the group', async t => {
  const defect = { type: 'xstate.error.actor.attempt.1.1', error: new Error('boom'), actorId: 'attempt.1.1' } as never
  const { last } = play([broken, valid, attempt(1, 0, null, 'infra_fault'), defect, done('promote', { bugId: null }), done('settle')])
  t.strictSame(last.output!.bugs[0]!.attempts.map(({ outcome, solved }) => [outcome, solved]), [['infra_fault', null], ['infra_fault', null]])
})

t.test('an episode can be cancelled in any state', async t => {
  const cancel = { type: 'episode.cancel' } as never
  for (const events of [[], [broken], [broken, valid]] as never[][]) {
    t.match(play([...events, cancel, cancel, done('settle')]).last.output!.ending, { kind: 'fault', outcome: 'cancelled' })
  }
})

t.test('what was released stays: a cancel after it ends an episode that was played', async t => {
  const cancel = { type: 'episode.cancel' } as never
  const promoted = [broken, valid, attempt(1, 0, true), attempt(1, 1, false), done('promote', { bugId: 'bug-2' })]
  for (const [name, events] of [['while it is released', promoted], ['in the second group', [...promoted, done('release'), attempt(2, 1, true)]]] as [string, never[]][]) {
    const { states, last } = play([...events, cancel, done('settle')])
    t.equal(states.at(-2), 'settling', name)
    t.match(last.output, { ending: { kind: 'played' }, bugs: [{ bugId: 'bug-1', attempts: { length: 2 } }] }, name)
    t.equal(last.output!.bugs.length, 1, name)
  }
})

t.test('a snapshot survives JSON in every state', async t => {
  const events = [broken, valid, attempt(1, 0, true), attempt(1, 1, false), done('promote', { bugId: 'bug-2' }), done('release'), attempt(2, 0, true)]
  let [snapshot] = initialTransition(episode, input)
  for (const event of events) {
    const kept = JSON.parse(JSON.stringify(createActor(episode, { input, snapshot }).getPersistedSnapshot()))
    const restored = createActor(episode, { input, snapshot: kept }).getSnapshot()
    t.strictSame(transition(episode, restored, event)[0].value, transition(episode, snapshot, event)[0].value)
    t.strictSame(restored.context, snapshot.context)
    ;[snapshot] = transition(episode, snapshot, event)
  }
})
