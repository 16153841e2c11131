// Plays one rollout: the machine with its holes filled by a session, from start to outcome. The session is always
// closed, whatever the ending.

import { createActor, fromPromise, type ActorRefFrom, type AnyActorRef } from 'xstate'
import type { Acted, Asked, Collected, RolloutInput, RolloutOutcome } from '../machines/rollout.ts'
import { breaker } from '../machines/breaker.ts'
import { solver } from '../machines/solver.ts'
import { systemClock } from '../src/clock.ts'
import type { Registry } from '../src/inspect/registry.ts'
import type { Clock } from '../src/ports.ts'
import type { RolloutSession, Spent } from '../src/rollout/session.ts'
import { about, aboutWork, names, observe } from './observe.ts'
import { timersOf } from './timers.ts'

/** The session of a rollout, by the actor system that plays it: a machine's context is no place for handles. */
const sessions = new WeakMap<AnyActorRef['system'], RolloutSession<unknown>>()

const holes = {
  actors: {
    open: fromPromise<void, { rolloutId: string }>(({ system, signal }) => sessions.get(system)!.open(signal)),
    ask: fromPromise<Asked, Spent>(({ input, system, signal }) => sessions.get(system)!.ask(input, signal)),
    act: fromPromise<Acted, Spent>(({ input, system, signal }) => sessions.get(system)!.act(input, signal)),
    collect: fromPromise<Collected, Spent>(({ input, system }) => sessions.get(system)!.collect(input))
  }
}

/** Filled once: a machine that is provided anew is built anew, which costs as much as twenty turns. */
const machines = { breaker: breaker.provide(holes), solver: solver.provide(holes) }

export async function playRollout<Kept> (
  role: 'breaker' | 'solver', session: RolloutSession<Kept>, input: RolloutInput, signal: AbortSignal, seen: { registry?: Registry | undefined; run: string; /** Of its deadlines. */ clock: Clock } = { run: '', clock: systemClock }
): Promise<RolloutOutcome> {
  const actor: ActorRefFrom<typeof breaker> = createActor(machines[role] as typeof breaker, { id: input.rolloutId, input, clock: timersOf(seen.clock) })
  sessions.set(actor.system, session)
  const { rolloutId } = input
  observe(seen.registry, actor, about(role, rolloutId, names.rollout(seen.run, rolloutId), names.work(seen.run, rolloutId), { ...aboutWork(seen.run, rolloutId), detail: () => session }))
  const cancel = (): void => actor.send({ type: 'rollout.cancel' })
  signal.addEventListener('abort', cancel, { once: true })
  let outcome: RolloutOutcome | null = null
  try {
    return outcome = await new Promise<RolloutOutcome>((resolve, reject) => {
      actor.subscribe({
        next: snapshot => { if (snapshot.status === 'done') resolve(snapshot.output) },
        error: reject
      })
      actor.start()
      if (signal.aborted) cancel()
    })
  } finally {
    signal.removeEventListener('abort', cancel)
    actor.stop()
    // Steps that are kept of it keep its system, and a system its session.
    sessions.delete(actor.system)
    // Only a rollout with a verdict on the policy has a record.
    await session.close(outcome !== null && (outcome.kind === 'submitted' || outcome.kind === 'policy_fault'))
  }
}
