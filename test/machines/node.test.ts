// Goal: a node takes work, drains within its bound and leaves, whatever its slots do. Method: the machines with holes that the
// test answers, on a clock that it turns.

import t from 'tap'
import { createActor, fromPromise, SimulatedClock } from 'xstate'
import { node } from '../../machines/node.ts'
import { slot } from '../../machines/slot.ts'

const tick = async (): Promise<void> => { for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve)) }

interface Asked<Answer> { resolve (answer: Answer): void; reject (error: unknown): void; signal: AbortSignal }

/** A hole whose answers the test gives, in the order of the questions. */
function hole<Answer> () {
  const asked: Asked<Answer>[] = []
  return { asked, logic: fromPromise<Answer, never>(({ signal }) => new Promise((resolve, reject) => { asked.push({ resolve, reject, signal }) })) }
}

function slotFixture () {
  const [pull, work] = [hole<boolean>(), hole<void>()]
  const clock = new SimulatedClock()
  const machine = slot.provide({ actors: { pull: pull.logic as never, work: work.logic as never } })
  const actor = createActor(machine, { input: { slotId: 's', restMs: 100, restMsMax: 400 }, clock }).start()
  return { actor, clock, pull, work, machine }
}

t.test('a slot takes work, does it, and takes the next', async t => {
  const { actor, pull, work } = slotFixture()
  pull.asked[0]!.resolve(false)
  await tick()
  t.equal(pull.asked.length, 2, 'nothing came: it asks again')
  pull.asked[1]!.resolve(true)
  await tick()
  t.equal(actor.getSnapshot().value, 'working')
  t.ok(actor.getSnapshot().hasTag('busy'))
  work.asked[0]!.resolve()
  await tick()
  t.equal(actor.getSnapshot().value, 'pulling')
  t.equal(actor.getSnapshot().context.done, 1)
})

t.test('a bus that is away lets a slot rest, for longer every time, up to a bound', async t => {
  const { actor, clock, pull } = slotFixture()
  for (const restMs of [100, 200, 400, 400]) {
    pull.asked.at(-1)!.reject(new Error('away'))
    await tick()
    t.equal(actor.getSnapshot().value, 'resting')
    clock.increment(restMs - 1)
    t.equal(actor.getSnapshot().value, 'resting')
    clock.increment(1)
    t.equal(actor.getSnapshot().value, 'pulling', `after ${restMs} ms`)
  }
})

t.test('a slot that drains takes nothing more and finishes what it has', async t => {
  const idle = slotFixture()
  idle.actor.send({ type: 'slot.drain' })
  t.equal(idle.actor.getSnapshot().status, 'done')
  t.ok(idle.pull.asked[0]!.signal.aborted, 'what it waited for is given up')
  for (const end of ['resolve', 'reject'] as const) {
    const { actor, pull, work } = slotFixture()
    pull.asked[0]!.resolve(true)
    await tick()
    actor.send({ type: 'slot.drain' })
    t.equal(actor.getSnapshot().value, 'working')
    work.asked[0]![end](undefined as never)
    await tick()
    t.equal(actor.getSnapshot().status, 'done', end)
  }
})

function nodeFixture () {
  const [pull, work, join, attend, leave] = [hole<boolean>(), hole<void>(), hole<void>(), hole<void>(), hole<void>()]
  const clock = new SimulatedClock()
  const actor = createActor(node.provide({ actors: {
    slot: slot.provide({ actors: { pull: pull.logic as never, work: work.logic as never } }), join: join.logic as never, attend: attend.logic as never, leave: leave.logic as never
  } }), { clock, input: { nodeId: 'n', drainMs: 1000, abortMs: 500, slots: ['a', 'b'].map(slotId => ({ slotId, restMs: 1, restMsMax: 1 })) } }).start()
  const serve = async (): Promise<void> => { join.asked[0]!.resolve(); await tick() }
  return { actor, clock, pull, work, join, attend, leave, serve }
}

t.test('a node joins, serves, drains when its slots are done, and leaves', async t => {
  const { actor, pull, work, leave, serve } = nodeFixture()
  await serve()
  t.ok(actor.getSnapshot().hasTag('ready'))
  pull.asked[0]!.resolve(true)
  await tick()
  actor.send({ type: 'node.drain' })
  t.ok(actor.getSnapshot().hasTag('draining'))
  t.notOk(actor.getSnapshot().hasTag('ready'))
  work.asked[0]!.resolve()
  await tick()
  t.equal(actor.getSnapshot().value, 'leaving')
  leave.asked[0]!.resolve()
  await tick()
  t.same(actor.getSnapshot().output, { kind: 'left', handedBack: false })
})

t.test('what does not end in time is aborted, and what does not end then is left behind', async t => {
  const { actor, clock, pull, leave, serve } = nodeFixture()
  await serve()
  pull.asked[0]!.resolve(true)
  await tick()
  actor.send({ type: 'node.drain' })
  await tick()
  clock.increment(1000)
  t.ok(actor.getSnapshot().context.aborted)
  clock.increment(500)
  t.equal(actor.getSnapshot().value, 'leaving')
  leave.asked[0]!.reject(new Error('the bus is away'))
  await tick()
  t.same(actor.getSnapshot().output, { kind: 'left', handedBack: true })
})

t.test('a node that cannot join, or loses what it cannot be without, has failed and says why', async t => {
  const lost = Object.assign(new Error('no server'), { code: 'BUS_UNAVAILABLE' })
  const first = nodeFixture()
  first.join.asked[0]!.reject(lost)
  await tick()
  t.same(first.actor.getSnapshot().output, { kind: 'failed', code: 'BUS_UNAVAILABLE', reason: 'no server' })
  const second = nodeFixture()
  await second.serve()
  second.attend.asked[0]!.reject(lost)
  await tick()
  t.equal(second.actor.getSnapshot().value, 'leaving', 'its slots were idle')
  second.leave.asked[0]!.resolve()
  await tick()
  t.match(second.actor.getSnapshot().output, { kind: 'failed', code: 'BUS_UNAVAILABLE' })
})
