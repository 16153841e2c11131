// Goal: a run that is paused starts an episode for each step, and no other. Method: events in, numbers out.

import t from 'tap'
import { initialTransition, transition } from 'xstate'
import { run } from '../../machines/run.ts'

const done = (number: number): never => ({ type: `xstate.done.actor.episode.${number}`, output: null, actorId: `episode.${number}` }) as never

t.test('pause, step and resume', async t => {
  let [snapshot] = initialTransition(run, { runId: 'r', episodes: 5, inFlight: 2, waiting: false })
  const after = (...events: never[]): number[] => {
    for (const event of events) [snapshot] = transition(run, snapshot, event)
    return [snapshot.context.next, snapshot.context.active]
  }
  const send = (type: string): never => ({ type }) as never
  t.same(after(), [3, 2], 'two are in flight')
  t.notOk(snapshot.can(send('run.step')), 'what runs takes no step')
  t.same(after(send('run.pause'), done(1), done(2)), [3, 0], 'nothing starts')
  t.same(after(send('run.step')), [4, 1], 'a step starts one')
  t.same(after(done(3)), [4, 0], 'and no other')
  t.same(after(send('run.resume')), [6, 2])
  t.same(after(send('run.pause'), send('run.step')), [6, 2], 'there is none left to start')
  after(send('run.resume'), done(4), done(5))
  t.equal(snapshot.value, 'summarising')
})
