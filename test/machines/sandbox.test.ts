// The life of a sandbox as a table, and on a simulated clock.

import t from 'tap'
import { createActor, fromPromise, initialTransition, SimulatedClock, transition, waitFor } from 'xstate'
import { setImmediate as turn } from 'node:timers/promises'
import { sandbox } from '../../machines/sandbox.ts'

const input = { opensMax: 2, openMsMax: 1000, backoffMs: 10, idleMsMax: 100 }
const done = (id: string) => ({ type: `xstate.done.actor.${id}`, actorId: id }) as never
const broke = (id: string, retryable: boolean) => ({ type: `xstate.error.actor.${id}`, error: { code: 'SANDBOX_BUSY', message: 'no room', retryable }, actorId: id }) as never

const send = (...events: unknown[]) => {
  let [snapshot] = initialTransition(sandbox, input)
  const states = [snapshot.value]
  for (const event of events) {
    ;[snapshot] = transition(sandbox, snapshot, event as never)
    states.push(snapshot.value)
  }
  return { states, outcome: snapshot.output }
}

t.test('a sandbox opens, is used, rests and is closed', async t => {
  t.strictSame(send(done('open'), { type: 'sandbox.busy' }, { type: 'sandbox.idle' }, { type: 'sandbox.close' }, done('close')),
    { states: ['opening', 'ready', 'busy', 'ready', 'closing', 'closed'], outcome: { kind: 'closed' } })
})

t.test('a fault that may pass is tried again, one that cannot is not', async t => {
  t.strictSame(send(broke('open', true)).states.at(-1), 'backingOff')
  t.match(send(broke('open', false), done('close')).outcome, { kind: 'failed', fault: { code: 'SANDBOX_BUSY' } })
})

t.test('a sandbox that is lost under a command is closed, also when closing fails', async t => {
  t.match(send(done('open'), { type: 'sandbox.busy' }, { type: 'sandbox.lost', reason: 'killed' }, { type: 'sandbox.idle' }, broke('close', false)),
    { states: ['opening', 'ready', 'busy', 'closing', 'closing', 'closed'], outcome: { kind: 'lost', reason: 'killed' } })
})

t.test('on the clock: opening is bounded and tried opensMax times, idleness ends', async t => {
  const clock = new SimulatedClock()
  let opens = 0
  const failing = sandbox.provide({ actors: { open: fromPromise<void, void>(async () => { opens++; throw Object.assign(new Error('no room'), { retryable: true }) }), close: fromPromise<void, void>(async () => {}) } })
  const actor = createActor(failing, { clock, input }).start()
  await waitFor(actor, snapshot => snapshot.matches('backingOff'))
  clock.increment(10)
  await waitFor(actor, snapshot => snapshot.status === 'done')
  t.equal(opens, 2)

  const stuck = sandbox.provide({ actors: { open: fromPromise<void, void>(() => new Promise(() => {})), close: fromPromise<void, void>(async () => {}) } })
  const waiting = createActor(stuck, { clock, input }).start()
  clock.increment(1000)
  await turn()
  t.match(waiting.getSnapshot().output, { kind: 'failed', fault: { code: 'SANDBOX_OPEN_TIMEOUT', retryable: true } })

  let closes = 0
  const fine = sandbox.provide({ actors: { open: fromPromise<void, void>(async () => {}), close: fromPromise<void, void>(async () => { closes++ }) } })
  const resting = createActor(fine, { clock, input }).start()
  await waitFor(resting, snapshot => snapshot.matches('ready'))
  clock.increment(99)
  t.ok(resting.getSnapshot().matches('ready'))
  clock.increment(1)
  await turn()
  t.strictSame([resting.getSnapshot().output, closes], [{ kind: 'expired' }, 1])
})
